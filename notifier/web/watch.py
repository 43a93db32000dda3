"""Waiting for notifications to be final: any number of callers, one question to the store for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from notifier.domain.errors import Unavailable
from notifier.domain.lifecycle import OPEN_STATUSES, NotificationStatus

_SPACING = 0.02
"""Seconds between two questions, however many notices come."""


class Watch:
    """Asks `statuses` for all ids that are waited for: when told that something ended (`notice`), and every `poll`
    seconds, for what other processes do. Asks nothing while nobody waits, and holds no connection in between."""

    def __init__(
        self, statuses: Callable[[Sequence[str]], Awaitable[Mapping[str, NotificationStatus]]], *, poll: float = 0.25
    ) -> None:
        self._statuses = statuses
        self._poll = poll
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def notice(self) -> None:
        """Something may have ended. Costs nothing where nobody waits."""
        if self._waiting:
            self._told.set()

    async def final(self, id_: str, seconds: float) -> None:
        """Returns when the notification is final, or after so many seconds, or when the store cannot be asked."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(id_, []).append(done)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="watch")
        try:
            await asyncio.wait([done], timeout=seconds)
        finally:
            self._forget(id_, done)

    def _forget(self, id_: str, done: asyncio.Future[None]) -> None:
        done.cancel()
        others = [one for one in self._waiting.get(id_, ()) if one is not done]
        if others:
            self._waiting[id_] = others
        else:
            self._waiting.pop(id_, None)

    async def _run(self) -> None:
        try:
            while self._waiting:
                self._told.clear()
                for id_, status in (await self._statuses(list(self._waiting))).items():
                    if status not in OPEN_STATUSES:
                        self._release(id_)
                await asyncio.sleep(_SPACING)
                try:
                    await asyncio.wait_for(self._told.wait(), self._poll)
                except TimeoutError:
                    continue
        except Unavailable:
            pass  # who waited reads for himself, and is told
        finally:
            self._task = None
            for id_ in list(self._waiting):
                self._release(id_)

    def _release(self, id_: str) -> None:
        for done in self._waiting.pop(id_, ()):
            if not done.done():
                done.set_result(None)
