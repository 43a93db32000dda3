"""docs/recipes.md quotes the examples: the code that it shows is the code that is tested."""

import re
from textwrap import dedent

import pytest

from tests.acceptance.examples.projects import EXAMPLES, ROOT

PAGE = (ROOT / "docs" / "recipes.md").read_text("utf-8")
_FENCE = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[`(examples/[^`]+)`\]\(\.\./\1\)")
RECIPES = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}


def quotations(recipe: str) -> list[tuple[str, str]]:
    """(file, piece): each piece of each block of code, with the file that was linked last before it."""
    found = []
    for block in _FENCE.finditer(recipe):
        files = _LINK.findall(recipe[: block.start()])
        assert files, f"which file is this?\n{block[1]}"
        found += [(files[-1], piece) for piece in block[1].split("...\n")]
    return found


def stands_in(piece: str, text: str) -> bool:
    """Whether these lines are there, one after the other, however deep they are indented."""
    wanted, lines = dedent(piece).splitlines(), text.splitlines()
    return any(
        dedent("\n".join(lines[n : n + len(wanted)])).splitlines() == wanted
        for n in range(len(lines) - len(wanted) + 1)
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_code_of_a_recipe_is_that_of_its_example(recipe: str) -> None:
    quoted = quotations(RECIPES[recipe])
    assert quoted
    for file, piece in quoted:
        assert stands_in(piece, (ROOT / file).read_text("utf-8")), f"{file} has no\n{piece}"


def test_every_example_has_its_recipe() -> None:
    linked = {link.split("/")[1] for link in _LINK.findall(PAGE)}
    assert linked == {path.name for path in EXAMPLES.iterdir() if path.is_dir()}


def test_the_lengths_that_are_told_are_right() -> None:
    told = re.findall(_LINK.pattern + r"[^`]{0,5}?\(?(?:is )?(\d+) lines", PAGE)
    assert len(told) == 2
    for file, lines in told:
        assert len((ROOT / file).read_text("utf-8").splitlines()) == int(lines), file
