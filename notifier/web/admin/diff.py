"""Two texts side by side, as rows of a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

Kind = Literal["same", "changed", "gone", "new", "gap"]
_CONTEXT: Final = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the old text and one of the new; None where a side has none."""

    kind: Kind
    old: tuple[int, str] | None
    new: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class FileDiff:
    path: str
    rows: Sequence[Row]


def compare(old: Mapping[str, str], new: Mapping[str, str]) -> list[FileDiff]:
    """The files that differ, in the order of their paths."""
    return [
        FileDiff(path, list(_rows(old.get(path, ""), new.get(path, ""))))
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path)
    ]


def _rows(old: str, new: str) -> Iterator[Row]:
    a, b = old.splitlines(), new.splitlines()
    last = 0
    for group in SequenceMatcher(None, a, b, autojunk=False).get_grouped_opcodes(_CONTEXT):
        if group[0][1] > last:
            yield Row("gap", None, None)
        last = group[-1][2]
        for tag, a1, a2, b1, b2 in group:
            for step in range(max(a2 - a1, b2 - b1)):
                left = (a1 + step + 1, a[a1 + step]) if a1 + step < a2 else None
                right = (b1 + step + 1, b[b1 + step]) if b1 + step < b2 else None
                kind: Kind = (
                    "same" if tag == "equal" else "gone" if right is None else "new" if left is None else "changed"
                )
                yield Row(kind, left, right)
