"""What lists are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from notifier.domain.lifecycle import NotificationStatus
from notifier.domain.notification import Event, Record


@dataclass(frozen=True, slots=True)
class Filter:
    """Which notifications of a project: all that is given must hold. `recipient` is compared as an address key,
    `created_after` and `created_before` leave out the instant itself."""

    status: NotificationStatus | None = None
    template: str | None = None
    recipient: str | None = None
    reference: str | None = None
    batch: str | None = None
    tag: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list, newest first: at most `limit` entries, those that come `after` an id (older), or those
    right `before` it (newer). Ids ascend in time, so a page stays what it is while rows are added."""

    limit: int = 50
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of notifications, newest first, and whether more follow in the direction that was asked."""

    records: Sequence[Record]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: the ids of its notifications in the order of the request, None where an item was refused."""

    id: str
    created_at: datetime
    notifications: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Pause:
    """A stop sign for a project: `all`, `template:NAME` or `batch:ID`."""

    scope: str
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a project's feed: behind the event with these numbers."""

    tx: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """A piece of the feed, oldest first, where to go on, and whether more is there already."""

    events: Sequence[Event]
    next: Cursor
    has_more: bool
