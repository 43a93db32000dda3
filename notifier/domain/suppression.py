"""Addresses that must not be written to, and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

SuppressionReason = Literal["bounced", "complained", "unsubscribed", "manual"]

ALL: Final = "all"
"""The scope of a suppression that holds for every mail; any other scope is a template's category."""


@dataclass(frozen=True, slots=True)
class NewSuppression:
    """An address to be left alone. `source` says who or what asked for it: a key, a relay's reply, a file."""

    address_key: str
    email: str
    scope: str
    reason: SuppressionReason
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """One that stands. An address has one for each scope at most."""

    address_key: str
    email: str
    scope: str
    reason: str
    source: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SuppressionFilter:
    """Which suppressions: all that is given must hold. `part` is found anywhere in an address key."""

    reason: str | None = None
    scope: str | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A page of suppressions by address, and the place (address key, scope) to go on from, if there are more."""

    entries: tuple[Suppression, ...]
    next: tuple[str, str] | None
