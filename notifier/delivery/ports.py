"""What delivery needs of the rest, as small protocols."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from notifier.domain.delivery import Claimed, Envelope, Finish
from notifier.domain.lifecycle import SendResult
from notifier.domain.notification import Attachment, Notification

Content = Callable[[bool], bytes]
"""Builds the message's bytes; True where the relay offers SMTPUTF8 for it."""

Sign = Callable[[bytes, str, datetime], bytes]
"""Signs a built message for its sender's address, at a time: the message with its signatures."""

BeforeBody = Callable[[], Awaitable[bool]]
"""Asked right before the first byte of the body goes out. False: it must not."""


class ClaimLike(Protocol):
    @property
    def claimed(self) -> Sequence[Claimed]: ...
    @property
    def suspect(self) -> Claimed | None: ...
    @property
    def next_due_at(self) -> datetime | None: ...
    @property
    def now(self) -> datetime: ...


class Queue(Protocol):
    """The store, as the dispatcher sees it."""

    async def claim(self, owner: str, lease: float, limit: int, turn: int, suspect: bool) -> ClaimLike: ...
    async def claim_simulated(self, owner: str, lease: float, limit: int) -> ClaimLike: ...
    async def extend(self, leases: Sequence[tuple[str, int]], lease: float) -> frozenset[str]: ...
    async def finish(self, item: Finish, /) -> bool: ...
    async def hand_back(self, item: tuple[str, int], /) -> bool: ...
    async def mark_transmitting(self, item: tuple[str, int], /) -> bool: ...


class Chores(Protocol):
    """The store, as the janitor sees it."""

    async def reclaim(self) -> int: ...
    async def expire(self) -> int: ...
    async def resume(self) -> int: ...
    async def forget(self, idempotency_ttl: float) -> int: ...
    async def forget_webhooks(self, keep: float) -> int: ...


class Files(Protocol):
    async def files(self, hashes: Sequence[str]) -> Mapping[str, bytes]: ...


class Rendering(Protocol):
    """A rendered template or literal content."""

    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str | None: ...
    @property
    def html(self) -> str | None: ...
    @property
    def inline(self) -> Sequence[Attachment]: ...


class Renderer(Protocol):
    """Renders a notification with the version it was accepted with."""

    async def rendered(self, one: Notification) -> Rendering: ...
    async def may_unsubscribe(self, one: Notification) -> bool: ...


class Sender(Protocol):
    """The relay, or what stands in for it in test mode."""

    async def send(self, envelope: Envelope, content: Content, before_body: BeforeBody, /) -> SendResult | None:
        """None where `before_body` forbade it. Cancelled before the final dot, nothing was taken; after it, the call
        still returns, with Unknown."""


class Relay(Sender, Protocol):
    async def ready(self) -> None: ...
    def free(self) -> int: ...


class Journal(Protocol):
    """Where attempts are told of: the log and the metrics."""

    def attempted(self, claimed: Claimed, result: SendResult, finish: Finish | None, seconds: float) -> None: ...

    def claimed(self, count: int, seconds: float) -> None:
        """A claim brought `count` rows."""

    def composed(self, seconds: float) -> None:
        """A mail was rendered."""

    def lost(self, claimed: Claimed, what: str) -> None:
        """A lease ended while its message was being sent."""

    def crashed(self, what: str, error: Exception) -> None:
        """A defect of ours: something raised what nothing expects."""

    def storeless(self, what: str, error: Exception) -> None:
        """The database was away for `what`."""

    def chore(self, name: str, count: int) -> None:
        """The janitor did something."""
