"""People who use the admin pages, what they may do, what they did, and what they see of the whole service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

Role = Literal["viewer", "editor", "admin"]
ROLES: Final[tuple[Role, ...]] = ("viewer", "editor", "admin")
"""Each may what those before it may: look; change templates and mail; keys, users, the relay."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in. `has_password` is False until they chose one (they came by a link)."""

    id: str
    name: str
    role: Role
    created_at: datetime
    has_password: bool = False
    disabled_at: datetime | None = None

    def may(self, role: Role) -> bool:
        return self.disabled_at is None and ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what."""

    id: str
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Speed:
    """How long mail of a template took from its acceptance, or from the time that it was to be sent at, until the
    relay had it: seconds, of so many mails."""

    template: str
    mails: int
    median: float
    slowest: float


@dataclass(frozen=True, slots=True)
class Marks:
    """What differs once something has changed: of everything, and of single notifications by id."""

    whole: tuple[Any, ...]
    of: Mapping[str, tuple[Any, ...]]


Kind = Literal["accepted", "sent", "deferred", "failed"]
KINDS: Final[tuple[Kind, ...]] = ("accepted", "sent", "deferred", "failed")


@dataclass(slots=True)
class Tally:
    """Events counted by minute (since 1970) and kind. Whatever stands between the rows `low` and `high` of the event
    table is in `minutes` for good; what is newer is counted anew at each look, into `fresh`.

    `complete` says that the counting has reached back as far as anybody asks.
    """

    minutes: dict[tuple[int, Kind], int] = field(default_factory=dict)
    fresh: dict[tuple[int, Kind], int] = field(default_factory=dict)
    low: int | None = None
    high: int = 0
    complete: bool = False

    def counts(self, first: int, step: int, buckets: int) -> dict[Kind, list[int]]:
        """So many buckets of `step` minutes each, from the minute `first` on, for each kind."""
        found: dict[Kind, list[int]] = {kind: [0] * buckets for kind in KINDS}
        for counted in (self.minutes, self.fresh):
            for (minute, kind), count in counted.items():
                place = (minute - first) // step
                if 0 <= place < buckets:
                    found[kind][place] += count
        return found
