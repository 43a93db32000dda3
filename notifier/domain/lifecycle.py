"""Statuses, the moves between them, what an attempt can come to, and what follows from it.

Pure: the clock and the dice are handed in. `next_step` is the only place that decides a recipient's fate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol, assert_never


class Status(StrEnum):
    """Where a recipient stands."""

    QUEUED = "queued"
    DEFERRED = "deferred"
    SENT = "sent"
    FAILED = "failed"
    HELD = "held"
    SUPPRESSED = "suppressed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


OPEN = frozenset({Status.QUEUED, Status.DEFERRED})
RETRYABLE = frozenset({Status.FAILED, Status.HELD, Status.EXPIRED})

_FROM_OPEN = frozenset(
    {
        Status.DEFERRED,
        Status.SENT,
        Status.FAILED,
        Status.HELD,
        Status.SUPPRESSED,
        Status.CANCELED,
        Status.EXPIRED,
    }
)
MOVES: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: _FROM_OPEN,
    Status.DEFERRED: _FROM_OPEN,
    Status.SENT: frozenset({Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED}),
    Status.DELIVERED: frozenset({Status.BOUNCED, Status.COMPLAINED}),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.HELD: frozenset({Status.QUEUED}),
    Status.EXPIRED: frozenset({Status.QUEUED}),
    Status.BOUNCED: frozenset(),
    Status.COMPLAINED: frozenset(),
    Status.SUPPRESSED: frozenset(),
    Status.CANCELED: frozenset(),
}


def may_move(old: Status, new: Status) -> bool:
    """Whether `old` -> `new` is a legal move. Anything else is ignored and noted in the timeline."""
    return new in MOVES[old]


NotificationStatus = Literal[
    "scheduled", "sending", "queued", "deferred", "partial",
    "sent", "failed", "held", "suppressed", "canceled", "expired", "delivered", "bounced", "complained",
]  # fmt: skip


OPEN_STATUSES: frozenset[NotificationStatus] = frozenset({"scheduled", "sending", "queued", "deferred"})
"""Of a notification that something is still to happen to."""


def settled(recipients: Iterable[Status]) -> NotificationStatus:
    """The status of a notification whose recipients are all final: the one they share, or ``partial``."""
    shared = set(recipients)
    return shared.pop().value if len(shared) == 1 else "partial"


def waiting(*, claimed: bool, tried: bool, scheduled: bool) -> NotificationStatus:
    """The status of a notification with a recipient still open."""
    if claimed:
        return "sending"
    if tried:
        return "deferred"
    return "scheduled" if scheduled else "queued"


class Stage(StrEnum):
    """Where in an SMTP session something happened (RFC 5321). Up to AUTH it is the relay's trouble, after it the
    message's. ``RENDER`` and ``LOCAL`` are before any session: the message could not be made, or the relay's own
    offer (SIZE, SMTPUTF8) rules it out."""

    RENDER = "render"
    LOCAL = "local"
    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said: code (RFC 5321 4.2), enhanced code (RFC 3463) where there was one, and its text."""

    code: int
    enhanced: str | None
    text: str

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.code, self.enhanced, self.text) if part)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The relay has taken the message for this recipient: 250 to the final dot."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: a 4xx of the message's own, or the connection ended before the final dot was sent.

    `after` is the delay in seconds that the server named in its text, if it did. `split` says that the server only
    had too many recipients in this transaction (452 4.5.3) and took others: this one can go at once.
    """

    stage: Stage
    text: str
    reply: Reply | None = None
    after: float | None = None
    split: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never: a 5xx of the message's own, or a reason that no retry would mend."""

    stage: Stage
    text: str
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The final dot was sent and no reply came: the relay may have taken the message or not."""

    text: str
    stage: Stage = Stage.DOT


Outcome = Accepted | Deferred | Rejected | Unknown
"""What one attempt came to for one recipient."""

TroubleKind = Literal["unreachable", "refused", "tls", "auth", "throttled"]


@dataclass(frozen=True, slots=True)
class RelayTrouble:
    """The relay could not be used: nothing of the message was offered, and no attempt counts.

    `configuration` says that waiting will not mend it (535, a bad certificate, no TLS where it is needed): a person
    has to. It is loud, and still the queue only waits.
    """

    kind: TroubleKind
    stage: Stage
    text: str
    reply: Reply | None = None
    configuration: bool = False

    def __str__(self) -> str:
        return f"{self.stage}: {self.reply or self.text}"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One SMTP transaction (an attempt that counts): an outcome for each recipient, by its number ``n``."""

    relay: str
    outcomes: Mapping[int, Outcome]


SendResult = Transaction | RelayTrouble


class Rng(Protocol):
    """The dice: `random.Random` is one."""

    def uniform(self, a: float, b: float, /) -> float: ...


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Doubling from `first` up to `longest`, +-`jitter`, given up `give_up_after` the first attempt. Seconds."""

    first: float = 30.0
    longest: float = 3600.0
    give_up_after: float = 72 * 3600.0
    jitter: float = 0.2

    def delay(self, attempt: int, rng: Rng) -> float:
        """Seconds to wait after attempt number `attempt` (from 1)."""
        plain = min(self.longest, self.first * 2.0 ** min(attempt - 1, 62))
        return plain * rng.uniform(1 - self.jitter, 1 + self.jitter)

    def deadline(self, first_attempt: datetime) -> datetime:
        """When a message first tried at `first_attempt` is given up."""
        return first_attempt + timedelta(seconds=self.give_up_after)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What `next_step` has to know of the attempt that just ended.

    `number` counts from 1 and includes this one; `give_up_at` is None during the first.
    """

    number: int
    policy: RetryPolicy
    on_unknown: Literal["retry", "hold"] = "retry"
    give_up_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A recipient's next status, when it is due again if it stays open, and why."""

    status: Status
    reason: str
    due_at: datetime | None = None


def next_step(outcome: Outcome, attempt: Attempt, now: datetime, rng: Rng) -> Step:
    """What an outcome leads to. Pure and total: every outcome has exactly one next step."""
    match outcome:
        case Accepted(reply):
            return Step(Status.SENT, str(reply))
        case Rejected(_, text, reply):
            return Step(Status.FAILED, str(reply) if reply else text)
        case Unknown(text) if attempt.on_unknown == "hold":
            return Step(Status.HELD, f"{text}; the caller asked to hold rather than risk a second copy")
        case Unknown(text):
            return _again(text, None, attempt, now, rng)
        case Deferred(split=True, text=text, reply=reply):
            return Step(Status.DEFERRED, f"{reply or text}; the rest goes at once", now)
        case Deferred(_, text, reply, after):
            return _again(str(reply) if reply else text, after, attempt, now, rng)
        case _:
            assert_never(outcome)


def _again(why: str, after: float | None, attempt: Attempt, now: datetime, rng: Rng) -> Step:
    """Another attempt after the policy's delay or the server's own, if there is time for one."""
    policy = attempt.policy
    give_up_at = attempt.give_up_at or policy.deadline(now)
    if now >= give_up_at:
        return Step(Status.FAILED, f"given up after {attempt.number} attempts, the last: {why}")
    delay = policy.delay(attempt.number, rng)
    if after is not None and after > delay:
        delay, why = after, f"{why}; the server asked for {after:g} s"
    due_at = min(now + timedelta(seconds=delay), give_up_at)
    if attempt.expires_at is not None and due_at >= attempt.expires_at:
        due_at = attempt.expires_at
    return Step(Status.DEFERRED, why, due_at)
