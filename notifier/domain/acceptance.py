"""What is handed to the store to be accepted, and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from notifier.domain.notification import Notification


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key and the fingerprint (HMAC-SHA-256, hex) of the request that it came with."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a key that came before stands for: a notification, or a batch, and the fingerprint of its request."""

    fingerprint: str
    notification: str | None
    batch: str | None


@dataclass(frozen=True, slots=True)
class New:
    """One notification to be accepted, under the caller's key if there is one. `files` holds the contents that its
    attachments name by hash."""

    notification: Notification
    idempotency: IdempotencyKey | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What one request asks for: one notification, or a batch that is accepted as a whole or not at all.

    `idempotency` is the key of the batch itself; a single notification's key stands in its `New`. `positions` gives
    each notification's place in the batch's request, `size` the number of its items, `known` the ids of earlier
    notifications that stand at other places.
    """

    project: str
    news: Sequence[New]
    created_at: datetime
    batch: str | None = None
    idempotency: IdempotencyKey | None = None
    positions: Sequence[int] = ()
    size: int = 1
    known: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of an acceptance, one entry a notification in order. `ids` are those of the notifications; `fresh`
    holds the notification as stored where it is new (with its suppressed recipients), None where it is a replay.
    `batch` is the earlier batch's id where a whole batch was replayed."""

    ids: Sequence[str]
    fresh: Sequence[Notification | None]
    batch: str | None = None
