"""Telling open pages that what they show has changed: one look a second at the store for all of them while anybody
listens, and none while nobody does."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256

from notifier.domain.admin import Marks
from notifier.domain.errors import Unavailable


class _Listener:
    """An open page: which notification it shows (None: everything), and the mark of what it has seen."""

    def __init__(self, id_: str | None, seen: str) -> None:
        self.id = id_
        self.bell = asyncio.Event()
        self._seen = seen

    def hear(self, mark: str) -> None:
        if mark != self._seen:
            self._seen = mark
            self.bell.set()


class Live:
    """`look` asks the store for the marks of everything, and of the notifications of these ids."""

    def __init__(self, look: Callable[[Collection[str]], Awaitable[Marks]], every: float = 1.0) -> None:
        self._look = look
        self._every = every
        self._listeners: set[_Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    async def mark(self, id_: str | None = None) -> str:
        """What a page that is made now will have seen: to be asked before anything that it shows is read."""
        return _text(await self._look([id_] if id_ else []), id_)

    @contextmanager
    def listen(self, id_: str | None, seen: str) -> Iterator[asyncio.Event]:
        """An event that is set when there is something that was not seen, and when there will be no more (`closed`)."""
        listener = _Listener(id_, seen)
        self._listeners.add(listener)
        if self._task is None and not self.closed:
            self._task = asyncio.create_task(self._run(), name="live")
        try:
            yield listener.bell
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Ends every stream at once: the process is to stop."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()
        for listener in self._listeners:
            listener.bell.set()

    async def _run(self) -> None:
        try:
            while self._listeners:
                try:
                    marks = await self._look({one.id for one in self._listeners if one.id is not None})
                except Unavailable:
                    pass  # pages say so when they are asked for; this goes on when it heals
                else:
                    for listener in self._listeners:
                        if listener.id is None or listener.id in marks.of:
                            listener.hear(_text(marks, listener.id))
                await asyncio.sleep(self._every)
        finally:
            self._task = None


def _text(marks: Marks, id_: str | None) -> str:
    return sha256(repr(marks.whole if id_ is None else marks.of.get(id_)).encode()).hexdigest()[:16]
