"""How much of the queue of an endpoint a process takes at a time: little of a slow one, and of a fast one so much that
it need not wait for the next claim."""

import asyncio
from typing import Final

AHEAD: Final = 0.25
"""Seconds' worth of requests that are claimed beyond those under way."""
MOST_AHEAD: Final = 10
"""Times the requests under way, at most."""
_WEIGHT: Final = 0.2  # of the latest request in the mean


class Pace:
    """One endpoint: at most `each` requests at a time, each with one of the `turns`. `held` counts what is claimed and
    not finished."""

    def __init__(self, each: int) -> None:
        self.held = 0
        self._each = each
        self.turns = asyncio.Semaphore(each)
        self._seconds: float | None = None

    def room(self) -> int:
        """How many more to claim. None while half of what was claimed ahead still waits, so that claims are few."""
        ahead = 0
        if self._seconds is not None:
            ahead = int(self._each * min(AHEAD / max(self._seconds, 1e-6), MOST_AHEAD))
        waiting = self.held - self._each
        return 0 if waiting * 2 > ahead else max(0, self._each + ahead - self.held)

    def took(self, seconds: float) -> None:
        """A request came to its end."""
        self._seconds = seconds if self._seconds is None else self._seconds + _WEIGHT * (seconds - self._seconds)
