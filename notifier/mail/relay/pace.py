"""A rate limit in messages per second (the generic cell rate algorithm, a token bucket without a timer)."""

import asyncio
import math
from collections.abc import Callable

_EPSILON = 1e-6  # seconds: sums of floats


class Pace:
    """Turns are `1/rate` s apart on the average; a tenth of a second's worth may go at once. None: no limit."""

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._slack = max(0.0, (rate or 0.0) / 10 - 1) * self._interval
        self._clock = clock
        self._next = 0.0  # when the next turn would be if there were no slack

    def free(self) -> float:
        """How many turns could be taken now without waiting."""
        if not self._interval:
            return math.inf
        now = self._clock()
        ahead = now + self._slack - max(self._next, now)
        return math.floor((ahead + _EPSILON) / self._interval) + 1 if ahead > -_EPSILON else 0

    def wait(self) -> float:
        """Seconds until a turn is free."""
        wait = self._next - self._slack - self._clock()
        return wait if self._interval and wait > _EPSILON else 0.0

    async def turn(self) -> None:
        """Take a turn, in the order of coming, and wait until it is there."""
        if self._interval:
            wait = self.wait()
            self._next = max(self._next, self._clock()) + self._interval
            if wait > 0:
                await asyncio.sleep(wait)
