"""How much each template is used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Use = Literal["sent", "failed"]


@dataclass(slots=True)
class Usage:
    """Events counted by hour (since 1970), template and what they say. Whatever stands between the rows `low` and
    `high` of the event table is in `hours` for good, for those rows are only ever added.

    `complete` says that the counting has reached back as far as anybody asks, `current` that it has reached this
    moment.
    """

    hours: dict[tuple[int, str, Use], int] = field(default_factory=dict)
    low: int | None = None
    high: int = 0
    complete: bool = False
    current: bool = False

    def since(self, hour: int) -> Mapping[tuple[str, Use], int]:
        """What was counted from that hour on, by template and use."""
        found: dict[tuple[str, Use], int] = {}
        for (at, template, use), count in self.hours.items():
            if at >= hour:
                found[template, use] = found.get((template, use), 0) + count
        return found
