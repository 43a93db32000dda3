"""A notification and what it is made of, as frozen data, and the ids that order it in time."""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from notifier.domain.lifecycle import NotificationStatus, Status

Kind = Literal["to", "cc", "bcc"]
Priority = Literal["high", "normal", "low"]
Mode = Literal["live", "team", "test"]
OnUnknown = Literal["retry", "hold"]


class _Uuid7:
    """UUIDv7 (RFC 9562 5.7) with the 12 bits after the milliseconds as a counter, so that ids made by one process
    ascend even within a millisecond (RFC 9562 6.2, method 1)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> str:
        with self._lock:
            now = (time.time_ns() // 1_000_000) << 12
            self._last = now if now > self._last else self._last + 1
            stamp = self._last
        tail = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
        number = ((stamp >> 12) << 80) | (0x7 << 76) | ((stamp & 0xFFF) << 64) | (0b10 << 62) | tail
        digits = f"{number:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


uuid7 = _Uuid7()
"""A new id: time-ordered, 36 characters, lower case."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox (RFC 5322 3.4): `email` is the addr-spec as the caller wrote it, checked; `name` may be empty."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person a notification goes to. `n` numbers recipients from 0 within their notification; `address_key` is the
    address as searches and suppressions compare it (lower case, the domain in A-labels)."""

    n: int
    kind: Kind
    email: str
    name: str = ""
    status: Status = Status.QUEUED
    reply: str | None = None
    address_key: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with the mail. With a `content_id` it is an inline part (RFC 2392). `hash` is the SHA-256 of its
    content (hex), where it is known."""

    filename: str
    content_type: str
    content: bytes
    content_id: str | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class AttachmentRef:
    """An attachment as its notification knows it: its content is stored once, under its SHA-256 (hex)."""

    filename: str
    content_type: str
    content_id: str | None
    hash: str


@dataclass(frozen=True, slots=True)
class Content:
    """Literal text in place of a template. At least one of `text` and `html` is given."""

    subject: str
    text: str | None = None
    html: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """One accepted request: one email message, one Message-ID. Written once; what changes lives in `Delivery`,
    `Recipient` and the timeline. `locale` is the reader's, `words` the one that the template had words for."""

    id: str
    project: str
    created_at: datetime
    message_id: str
    sender: Address
    recipients: tuple[Recipient, ...]
    key: str = ""
    mode: Mode = "live"
    template: str | None = None
    version: int | None = None
    category: str | None = None
    locale: str | None = None
    words: str | None = None
    timezone: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    content: Content | None = None
    reply_to: tuple[Address, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[AttachmentRef, ...] = ()
    reference: str | None = None
    batch: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    priority: Priority = "normal"
    on_unknown: OnUnknown = "retry"
    send_at: datetime | None = None
    expires_at: datetime | None = None
    resend_of: str | None = None

    @property
    def simulated(self) -> bool:
        """Whether no relay is needed: everything of it is played (`is_simulated`)."""
        return self.mode == "test" or all(is_simulated(r.email) for r in self.recipients)


SIMULATOR: Final = "simulator.notifier"
"""The domain whose mailboxes are played in any mode."""


def is_simulated(email: str) -> bool:
    """Whether nobody is written to at this address: what happens to its mail is played."""
    return email.rpartition("@")[2].lower() == SIMULATOR


@dataclass(frozen=True, slots=True)
class Event:
    """A row of a timeline. Rows are only ever added; `seq` ascends within a timeline. `tx` and `seq` together ascend
    in the order of the project's feed."""

    seq: int
    notification: str
    type: str
    at: datetime
    recipient: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    tx: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """Where a notification stands: what callers are told. `waits_for` names the pause that holds it, if one does."""

    notification: Notification
    status: NotificationStatus
    final: bool
    attempts: int
    next_attempt_at: datetime | None = None
    error: str | None = None
    waits_for: str | None = None
