"""The capture server for code that has no loop: it runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from notifier.capture.faults import FaultPlan
from notifier.capture.filters import Filter
from notifier.capture.ledger import Session, Transaction
from notifier.capture.message import Captured, Pattern
from notifier.capture.script import Scripted
from notifier.capture.server import Capture
from notifier.capture.store import MessageStore

T = TypeVar("T")


class Messages(Sequence[Captured]):
    """A `MessageStore` whose waits block."""

    def __init__(self, store: MessageStore, run: Callable[[Coroutine[Any, Any, Captured]], Captured]) -> None:
        self.store = store
        self._run = run
        self.get = store.get
        self.find = store.find
        self.delete = store.delete
        self.clear = store.clear

    @property
    def dropped(self) -> int:
        return self.store.dropped

    def __len__(self) -> int:
        return len(self.store)

    def __iter__(self) -> Iterator[Captured]:
        return iter(self.store)

    @overload
    def __getitem__(self, index: int) -> Captured: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Captured]: ...
    def __getitem__(self, index: int | slice) -> Captured | Sequence[Captured]:
        return self.store[index]

    def wait(
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
        timeout: float = 5.0,
    ) -> Captured:
        """`MessageStore.wait`, blocking."""
        wanted = Filter(predicate, to, subject, headers or {}, notification, reference, template, after)
        return self._run(self.store.wait_for(wanted, timeout=timeout))


class CaptureThread(Scripted):
    """`Capture` with the same arguments, whose methods block instead of being awaited."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, **terms: Any) -> None:
        self._capture = Capture(host, port, **terms)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.faults: FaultPlan = self._capture.faults
        self.messages = Messages(self._capture.messages, self._run)

    @property
    def host(self) -> str:
        return self._capture.host

    @property
    def port(self) -> int:
        return self._capture.port

    @property
    def ledger(self) -> list[Transaction]:
        return self._capture.ledger

    @property
    def sessions(self) -> list[Session]:
        return self._capture.sessions

    @property
    def open_connections(self) -> int:
        return self._capture.open_connections

    @property
    def peak_connections(self) -> int:
        return self._capture.peak_connections

    @property
    def total_connections(self) -> int:
        return self._capture.total_connections

    def start(self) -> None:
        """Starts the thread and listens in it. OSError if the port is taken."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="notifier-capture", daemon=True)
        self._thread.start()
        try:
            self._run(self._capture.start())
        except BaseException:
            self._end_thread()
            raise

    def stop(self) -> None:
        """Stops the server and then its thread."""
        if self._loop is not None:
            self._run(self._capture.stop())
            self._end_thread()

    def disconnect(self) -> int:
        """Ends every open connection without a word. Says how many."""
        return self._run(self._capture.disconnect())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:  # not running, and what came before can still be looked for
            return asyncio.run(work)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_thread(self) -> None:
        loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
