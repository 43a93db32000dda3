"""The messages that were received: bounded, safe between threads, and waited for by what they are."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import overload
from uuid import uuid4

from notifier.capture.filters import Filter
from notifier.capture.message import Captured, Pattern


class NoSuchMail(TimeoutError):
    """No message matched in time. The text is a table of what did come; `near` has the same as (message, reason)."""

    def __init__(self, wanted: str, waited: str, near: Sequence[tuple[Captured, str]], dropped: int = 0) -> None:
        self.near = tuple(near)
        super().__init__(f"no mail matched {wanted} {waited}\n{_table(self.near, dropped)}")


class MessageStore(Sequence[Captured]):
    """A sequence of messages, newest last, that keeps the last `keep` of them and counts those it `dropped`."""

    def __init__(self, keep: int = 1000) -> None:
        self.keep = keep
        self.dropped = 0
        self._items: deque[Captured] = deque()
        self._lock = threading.Lock()
        self._bells: set[Callable[[], None]] = set()
        self._closed = False

    def add(self, mail_from: str, rcpt_tos: Sequence[str], raw: bytes) -> Captured:
        """Keeps a message that was received just now."""
        message = Captured(uuid4().hex[:16], datetime.now(UTC), mail_from, tuple(rcpt_tos), raw)
        with self._lock:
            self._items.append(message)
            while len(self._items) > self.keep:
                self._items.popleft()
                self.dropped += 1
        self._ring()
        return message

    def get(self, id: str) -> Captured | None:
        return next((message for message in self.snapshot() if message.id == id), None)

    def snapshot(self) -> tuple[Captured, ...]:
        """The messages as they are now, oldest first."""
        with self._lock:
            return tuple(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Captured]:
        return iter(self.snapshot())

    @overload
    def __getitem__(self, index: int) -> Captured: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Captured]: ...
    def __getitem__(self, index: int | slice) -> Captured | Sequence[Captured]:
        return self.snapshot()[index]

    def find(self, wanted: Filter) -> list[Captured]:
        """Those that match, oldest first."""
        return [message for message, reason in self._judged(wanted) if reason is None]

    def delete(self, wanted: Filter | None = None) -> int:
        """Deletes what matches (everything without a filter), and says how many that were."""
        goes = {message.id for message in (self.snapshot() if wanted is None else self.find(wanted))}
        with self._lock:
            before = len(self._items)
            self._items = deque(message for message in self._items if message.id not in goes)
            gone = before - len(self._items)
        self._ring()
        return gone

    def clear(self) -> int:
        """Deletes everything, and sets the count of dropped ones to 0."""
        self.dropped = 0
        return self.delete()

    async def wait(
        self,
        predicate: Callable[[Captured], bool] | None = None,
        *,
        to: str | None = None,
        subject: Pattern | None = None,
        headers: Mapping[str, Pattern] | None = None,
        notification: str | None = None,
        reference: str | None = None,
        template: str | None = None,
        after: datetime | str | None = None,
        timeout: float = 5.0,  # noqa: ASYNC109 -- what runs out is the wait, and the error tells what came meanwhile
    ) -> Captured:
        """The first message that matches (see `Filter`), of those that came before and those that come within
        `timeout` seconds. Raises `NoSuchMail` with a table of what came and why each did not match."""
        wanted = Filter(predicate, to, subject, headers or {}, notification, reference, template, after)
        return await self.wait_for(wanted, timeout=timeout)

    async def wait_for(self, wanted: Filter, *, timeout: float) -> Captured:  # noqa: ASYNC109 -- as in `wait`
        """`wait`, with the filter as one thing."""
        with self.watch() as bell, suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    bell.clear()
                    if found := next(iter(self.find(wanted)), None):
                        return found
                    if self._closed:
                        break
                    await bell.wait()
        raise self._none(wanted, "before the server stopped" if self._closed else f"within {timeout:g} s")

    def take(self, wanted: Filter) -> Captured:
        """The first message that matches, of those that came. Raises `NoSuchMail`."""
        if found := next(iter(self.find(wanted)), None):
            return found
        raise self._none(wanted, "of what was sent")

    def _none(self, wanted: Filter, waited: str) -> NoSuchMail:
        near = [(message, reason) for message, reason in self._judged(wanted) if reason is not None]
        return NoSuchMail(str(wanted), waited, near, self.dropped)

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """An event of the running loop that is set at every change, whatever thread makes it."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def ring() -> None:
            with suppress(RuntimeError):  # that loop is closed, so nobody listens
                loop.call_soon_threadsafe(event.set)

        with self._lock:
            self._bells.add(ring)
        try:
            yield event
        finally:
            with self._lock:
                self._bells.discard(ring)

    @property
    def closed(self) -> bool:
        """Whether no more mail will come, so that waiting is vain."""
        return self._closed

    def open(self) -> None:
        self._closed = False

    def close(self) -> None:
        """Ends every wait. What was received can still be read."""
        self._closed = True
        self._ring()

    def _judged(self, wanted: Filter) -> Iterator[tuple[Captured, str | None]]:
        messages = self.snapshot()
        ids = [message.id for message in messages]
        passed = wanted.after is None or wanted.after not in ids  # an id no longer kept is older than all the rest
        for message in messages:
            yield message, wanted.why_not(message) if passed else f"not after {wanted.after}"
            passed = passed or message.id == wanted.after

    def _ring(self) -> None:
        with self._lock:
            bells = tuple(self._bells)
        for ring in bells:
            ring()


def _table(near: Sequence[tuple[Captured, str]], dropped: int) -> str:
    if not near:
        return "no mail came at all" if not dropped else f"nothing is kept; {dropped} older ones were dropped"
    rows = [("received", "to", "subject", "why not")]
    for message, reason in near[-20:]:
        to = ", ".join(message.rcpt_tos)
        rows.append((f"{message.received_at:%H:%M:%S.%f}"[:-3], to[:40], message.subject[:40], reason))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[3]]) for row in rows]
    left_out = len(near) - 20 + dropped if len(near) > 20 else dropped
    return "\n".join([*lines, *([f"({left_out} older ones are not shown)"] if left_out else [])])
