"""Backpressure: past so many open deliveries, nothing more is taken."""

import time
from collections.abc import Awaitable, Callable

from notifier.domain.errors import Unavailable

_FRESH_SECONDS = 1.0
_RETRY_AFTER_SECONDS = 5.0


class Backlog:
    """Asks `count` (open deliveries, up to a limit) at most once a second. A `largest` of 0 asks nothing."""

    def __init__(
        self,
        count: Callable[[int], Awaitable[int]],
        largest: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = count
        self._largest = largest
        self._monotonic = monotonic
        self._full = False
        self._asked_at = float("-inf")

    async def check(self) -> None:
        """Raises Unavailable where the queue is full."""
        if not self._largest:
            return
        if self._monotonic() - self._asked_at >= _FRESH_SECONDS:
            self._asked_at = self._monotonic()
            self._full = await self._count(self._largest) >= self._largest
        if self._full:
            raise Unavailable(
                f"{self._largest} notifications or more wait to be sent; nothing more is taken until some are",
                retry_after=_RETRY_AFTER_SECONDS,
                code="backlog_full",
            )
