"""What the queue hands out and takes back, and how a claim is shared between lanes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from notifier.domain.lifecycle import NotificationStatus, Status
from notifier.domain.notification import Notification
from notifier.domain.suppression import NewSuppression

PRIORITIES: Final = ("high", "normal", "low")
"""In the order in which lanes are served."""

LAST_CRASH: Final = 4
"""A row that was lost in company once and then three times alone is poison."""

_LOWER_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends (empty for the null reverse-path) and who receives: addr-specs by recipient number ``n``."""

    sender: str
    recipients: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A row to be added to a timeline."""

    type: str
    recipient: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery under a lease: nobody else may send it until `lease_until`, or finish it with another `lease_no`."""

    notification: Notification
    lease_no: int
    lease_until: datetime
    due_at: datetime
    attempts: int
    crashes: int
    give_up_at: datetime | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A recipient's new status and the reply that goes with it."""

    n: int
    status: Status
    reply: str | None


@dataclass(frozen=True, slots=True)
class Finish:
    """How an attempt ended. `final` is the notification's status if nobody is left to send to; else `due_at` says when
    it goes on. `lease_no` is the fence: a lease that was lost in the meantime changes nothing but the timeline.
    `suppressions` are of recipients whose mailbox the relay says does not exist."""

    id: str
    project: str
    owner: str
    lease_no: int
    attempts: int
    moved: Sequence[Moved]
    events: Sequence[NewEvent]
    final: NotificationStatus | None
    due_at: datetime | None
    give_up_at: datetime | None
    suppressions: Sequence[NewSuppression] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """Something due: of a project, at a priority (an index into `PRIORITIES`), the oldest since `due_at`."""

    project: str
    priority: int
    due_at: datetime


def share_out(lanes: Sequence[Lane], limit: int, turn: int, take: Callable[[Lane, int], int]) -> None:
    """Fills a claim of `limit` rows from `lanes`. `take` asks one lane for so many rows and answers how many it gave.

    High goes first, but every lower priority with something due is left a twentieth (with a small `limit`, it goes
    first in every twentieth claim, counted by `turn`). Within a priority projects share evenly, the longest waiting
    first, and what one does not use goes to those behind it.
    """
    left = limit
    by_priority = [
        sorted((lane for lane in lanes if lane.priority == priority), key=lambda lane: lane.due_at)
        for priority in range(len(PRIORITIES))
    ]
    waiting = [members for members in by_priority if members]
    portion = int(limit * _LOWER_SHARE)
    if not portion and (first := {0: waiting[2:] or waiting[1:], 10: waiting[2:] and waiting[1:2]}.get(turn % 20)):
        waiting = [*first, *(members for members in waiting if members not in first)]
    for place, members in enumerate(waiting):
        quota = max(0, left - (len(waiting) - place - 1) * portion)
        for position, lane in enumerate(members):
            share = -(-quota // (len(members) - position))
            if share <= 0:
                break
            given = take(lane, share)
            quota -= given
            left -= given
