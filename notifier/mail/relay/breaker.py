"""How many connections the relay may be asked for now: none while it is in trouble, few when it comes back.

Pure: the clock and the dice are handed in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from notifier.domain.lifecycle import RelayTrouble, Rng

BreakerState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between probes: doubling from `first` up to `longest`, +-20 %."""

    first: float = 1.0
    longest: float = 60.0

    def delay(self, failures: int, rng: Rng) -> float:
        """After so many failures in a row (from 1)."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 62)) * rng.uniform(0.8, 1.2)


class Breaker:
    """Closed, open, half open; slow start (1, 2, 4, 8... connections); and a ceiling where the relay has one.

    It opens when nothing stands: no connection can be had and none is left. While others stand, a connection that is
    refused says only that the relay wants no more of them (Microsoft 365 allows three): the number allowed shrinks to
    those that stand, for a while.
    """

    def __init__(
        self,
        most: int,
        backoff: Backoff,
        clock: Callable[[], float],
        rng: Rng,
        changed: Callable[[BreakerState, RelayTrouble | None], None],
    ) -> None:
        self._most = most
        self._backoff = backoff
        self._clock = clock
        self._rng = rng
        self._changed = changed
        self._opened = 0  # connections made since the last trouble
        self._failures = 0
        self._ceiling = most
        self._crowded = 0
        self.ceiling_until = 0.0
        self.state: BreakerState = "closed"
        self.trouble: RelayTrouble | None = None
        self.since = clock()
        self.probe_at: float | None = None

    @property
    def allowance(self) -> int:
        """Connections that may stand or be opened now. A first one has to succeed before there are two: twenty wrong
        passwords at once lock an account."""
        if self.state != "closed":
            return 0
        ceiling = self._ceiling
        if ceiling < self._most and self._clock() >= self.ceiling_until:
            ceiling += 1  # one more is tried; `opened` or `refused` says what came of it
        return min(self._most, ceiling, max(1, 2 * self._opened))

    @property
    def blocked(self) -> bool:
        """Nothing may be tried now: trouble, and no probe is due."""
        return self.state == "half_open" or (self.probe_at is not None and self._clock() < self.probe_at)

    def may_probe(self) -> bool:
        """True once per backoff, for the one who then probes and reports with `opened`, `failed` or `abandoned`."""
        if self.state != "open" or self.probe_at is None or self._clock() < self.probe_at:
            return False
        self._turn("half_open")
        return True

    def opened(self, standing: int) -> None:
        """A connection was made, up to AUTH; `standing` work now, with this one."""
        self._opened += 1
        self._ceiling = max(self._ceiling, standing)
        if self._ceiling == self._most:
            self._crowded = 0
            self.trouble = None
        if self.state != "closed":
            self.probe_at = None
            self._turn("closed")

    def worked(self) -> None:
        """A message was taken to an outcome of its own: the trouble is over, its backoff starts anew next time."""
        self._failures = 0

    def refused(self, trouble: RelayTrouble, standing: int) -> None:
        """A connection could not be made while `standing` others work: ask for no more than those for a while."""
        self._crowded += 1
        self._ceiling = min(self._ceiling, max(1, standing))
        self._opened = max(self._opened, self._ceiling)
        self.ceiling_until = self._clock() + self._backoff.delay(self._crowded, self._rng)
        self.trouble = trouble

    def failed(self, trouble: RelayTrouble) -> None:
        """A connection could not be made and none stands. Several that fail together are one failure."""
        self.trouble = trouble
        if self.state == "open":
            return
        self._failures += 1
        self._opened = 0
        self._ceiling, self._crowded = self._most, 0
        self.probe_at = self._clock() + self._backoff.delay(self._failures, self._rng)
        self._turn("open")

    def abandoned(self) -> None:
        """The probe was cancelled: the next one may go at once."""
        if self.state == "half_open":
            self.probe_at = self._clock()
            self._turn("open")

    def _turn(self, state: BreakerState) -> None:
        self.state = state
        self.since = self._clock()
        self._changed(state, self.trouble)
