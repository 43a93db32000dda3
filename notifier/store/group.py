"""Group commit: concurrent calls share one transaction, and one fsync.

There is no timer: the next batch is what came in while the last one was being committed. So an idle service answers
at once, and a busy one shares more.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from notifier.domain.errors import Unavailable
from notifier.store.engine import Database, Tx
from notifier.store.transaction import PATIENCE, Blocked

Item = TypeVar("Item")
Result = TypeVar("Result")

HURRY: Final = 0.1
"""Seconds that a transaction waits for locks where others wait behind it."""


class GroupObserver(Protocol):
    """Hears of each commit: its kind, how many shared it, how long it took in seconds."""

    def committed(self, kind: str, size: int, seconds: float) -> None: ...


class Unheard:
    """An observer for those whom commits do not interest."""

    def committed(self, kind: str, size: int, seconds: float) -> None: ...


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    done: asyncio.Future[Result]
    deadline: float  # on the loop's clock: when to stop waiting for somebody who is in the way


class Group(Generic[Item, Result]):
    """Runs `work` over groups of items, each group in one transaction, one group at a time.

    `work` answers one result per item, in order; a result that is an exception is raised to its caller alone. If the
    transaction itself fails, each item is tried in a transaction of its own, so that nobody is spoiled by a neighbour;
    if the database is away, everybody is told so. Where another process holds what one of the group needs, the group
    leaves the way of those behind it, and its items are tried one by one for `PATIENCE` seconds; who is still blocked
    then gets `blocked()`.

    A group holds at most `largest` as counted by `weight`, or one item that weighs more.
    """

    def __init__(
        self,
        kind: str,
        database: Database,
        work: Callable[[Tx, Sequence[Item]], Sequence[Result | Exception]],
        observer: GroupObserver,
        *,
        blocked: Callable[[], Exception] | None = None,
        weight: Callable[[Item], int] = lambda _: 1,
        largest: int = 500,
    ) -> None:
        self._kind = kind
        self._database = database
        self._work = work
        self._observer = observer
        self._blocked = blocked
        self._weight = weight
        self._largest = largest
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._aside: deque[_Waiting[Item, Result]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._aside_runner: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        loop = asyncio.get_running_loop()
        one: _Waiting[Item, Result] = _Waiting(item, loop.create_future(), loop.time() + PATIENCE)
        self._waiting.append(one)
        if self._runner is None:
            self._runner = loop.create_task(self._run(), name=f"group-commit {self._kind}")
        return await one.done

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._commit(self._next_group())
        finally:
            self._runner = None

    def _next_group(self) -> list[_Waiting[Item, Result]]:
        group = [self._waiting.popleft()]
        weight = self._weight(group[0].item)
        while self._waiting and (weight := weight + self._weight(self._waiting[0].item)) <= self._largest:
            group.append(self._waiting.popleft())
        return group

    async def _commit(self, group: Sequence[_Waiting[Item, Result]]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        items = [one.item for one in group]
        try:
            results = await self._database.write(lambda tx: self._work(tx, items), HURRY)
        except Blocked:
            self._set_aside(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to each of those who wait
            if len(group) == 1 or isinstance(error, Unavailable):
                for one in group:
                    _answer(one, error)
            else:
                for one in group:
                    await self._commit([one])
        else:
            self._observer.committed(self._kind, len(group), loop.time() - started)
            for one, result in zip(group, results, strict=True):
                _answer(one, result)

    def _set_aside(self, group: Sequence[_Waiting[Item, Result]]) -> None:
        now = asyncio.get_running_loop().time()
        for one in group:
            # Of a group, it may be any of them: only who was tried alone is known to be blocked.
            if self._blocked is not None and len(group) == 1 and now >= one.deadline:
                _answer(one, self._blocked())
            else:
                self._aside.append(one)
        if self._aside and self._aside_runner is None:
            self._aside_runner = asyncio.create_task(self._run_aside(), name=f"group-commit {self._kind}, one by one")

    async def _run_aside(self) -> None:
        try:
            while self._aside:
                await self._commit([self._aside.popleft()])
        finally:
            self._aside_runner = None


def _answer(one: _Waiting[Item, Result], result: Result | Exception) -> None:
    if one.done.done():  # its caller has gone away
        return
    if isinstance(result, Exception):
        one.done.set_exception(result)
    else:
        one.done.set_result(result)
