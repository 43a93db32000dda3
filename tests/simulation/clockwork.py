"""An event loop whose time is ours: it never waits, it goes to the next timer. A day passes in the time that its events
take, and everything happens in the same order each time."""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

MOST_ROUNDS = 3_000_000  # of a loop; one that goes round more often goes in circles


class Interrupted(BaseException):
    """The loop was stopped between two rounds. Its tasks stay as they are: frozen, to be run on or never again."""


class Stuck(AssertionError):
    """Nothing is left that could ever happen, and somebody waits."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that starts at `now` (seconds). It has no sockets and no threads."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.rounds = 0
        self._interrupt: Callable[[], bool] | None = None
        super().__init__(_Leaping(self))

    def time(self) -> float:
        return self.now

    def interrupt_when(self, due: Callable[[], bool] | None) -> None:
        """Raises `Interrupted` out of `run_until_complete` before the first round for which `due` answers True."""
        self._interrupt = due

    def leap(self, timeout: float | None) -> None:
        self.rounds += 1
        if self.rounds > MOST_ROUNDS:
            raise Stuck(f"{MOST_ROUNDS} rounds: it goes in circles")
        if timeout is None:
            raise Stuck("nothing is left that could ever happen")
        self.now += timeout
        if self._interrupt is not None and self._interrupt():
            self._interrupt = None
            raise Interrupted

    def bury(self) -> None:
        """Ends what is frozen in it. Nothing that it still has to say counts: the world has moved on."""
        self.set_exception_handler(lambda _loop, _context: None)
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with suppress(RuntimeError):  # it wants to await something on its way out
                task.get_coro().close()
        self.close()


class _Leaping(selectors.BaseSelector):
    """A selector that selects nothing and takes no time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._map: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._map[number] = selectors.SelectorKey(fileobj, number, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._map.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.leap(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._map
