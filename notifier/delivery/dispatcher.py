"""The dispatcher: claims what is due, keeps the relay busy with it, renews leases, and drains when told to stop."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from notifier.delivery.attempt import Lease, Workbench, attempt
from notifier.delivery.ports import ClaimLike, Relay
from notifier.domain.delivery import Claimed
from notifier.domain.errors import Unavailable

LARGEST_CLAIM: Final = 200
MOST_IN_FLIGHT: Final = 1000
RECORDING: Final = 5.0
"""Seconds that outcomes get to be written after the grace."""
RENEW_AGAIN: Final = 1.0
"""Seconds between tries to renew leases while the database is away."""
POLL: Final = 1.0
"""Seconds between looks at the queue when nothing wakes us: another process may have accepted something."""


class DatabaseClock:
    """The database's time between claims, carried on by the monotonic clock: schedules and leases are compared with
    one clock, however many machines there are."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._now, self._at = now(), monotonic()

    def set(self, now: datetime) -> None:
        self._now, self._at = now, self._monotonic()

    def __call__(self) -> datetime:
        return self._now + timedelta(seconds=self._monotonic() - self._at)


@dataclass(slots=True)
class _Pace:
    """How much was finished of late: a claim takes at most about a second's work."""

    monotonic: Callable[[], float]
    since: float = 0.0
    count: int = 0
    rate: float = 0.0

    def finished(self) -> None:
        self.count += 1
        now = self.monotonic()
        if now - self.since >= 0.25:
            self.rate = self.count / (now - self.since)
            self.since, self.count = now, 0

    def lately(self) -> float:
        """Messages a second; it falls while nothing gets finished."""
        elapsed = self.monotonic() - self.since
        return self.rate if elapsed < 1 else min(self.rate, (self.count + 1) / elapsed)


class Dispatcher:
    """Runs until it is told to stop. One in a process; any number of processes, on PostgreSQL."""

    def __init__(
        self,
        bench: Workbench,
        relay: Relay,
        clock: DatabaseClock,
        *,
        lease: float,
        grace: float,
        poll: float = POLL,
    ) -> None:
        self._bench = bench
        self._relay = relay
        self._clock = clock
        self._lease = lease
        self._grace = grace
        self._poll = poll
        self._leases: dict[asyncio.Task[None], Lease] = {}
        self._suspect: asyncio.Task[None] | None = None
        self._more_suspects = False  # the last claim brought one: there may be more
        self._wake = asyncio.Event()
        self._draining = asyncio.Event()
        self._pace = _Pace(bench.monotonic, since=bench.monotonic())
        self._turn = 0
        self._looked_at = bench.monotonic()

    @property
    def in_flight(self) -> int:
        return len(self._leases)

    def wake(self) -> None:
        """Something may be due: it was accepted, retried, or a pause ended."""
        self._wake.set()

    def drain(self) -> None:
        """No new claims from here on."""
        self._draining.set()
        self._wake.set()

    async def run(self) -> None:
        """Claims and sends until `drain`; then lets what is in flight finish, for as long as the grace allows."""
        renewal = asyncio.create_task(self._keep(), name="lease-renewal")
        try:
            while await self._relay_ready():
                try:
                    await self._step()
                except Unavailable as error:
                    self._bench.journal.storeless("claim", error)
                    self._wake.clear()
                    await self._pause(error.retry_after)
                except Exception as error:  # noqa: BLE001 - whatever it is, mail has to go on
                    self._bench.journal.crashed("claim", error)
                    self._wake.clear()
                    await self._pause(self._poll)
            await self._finish_in_flight()
        finally:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)

    async def _relay_ready(self) -> bool:
        """Waits until the relay can be used; what needs none goes on meanwhile. False when we are told to stop."""
        ready = asyncio.create_task(self._relay.ready())
        stop = asyncio.create_task(self._draining.wait())
        more = False
        while not await self._first_of((ready, stop), 0.0 if more else self._poll):
            try:
                more = await self._step_without_relay()
            except Unavailable as error:
                self._bench.journal.storeless("claim", error)
                more = False
        for task in (ready, stop):
            task.cancel()
        await asyncio.gather(ready, stop, return_exceptions=True)
        return not self._draining.is_set()

    async def _first_of(self, tasks: Iterable[asyncio.Task[Any]], within: float) -> bool:
        done, _ = await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)

    async def _step_without_relay(self) -> bool:
        """One claim of what needs no relay. True where there may be more of it."""
        started = self._looked_at = self._bench.monotonic()
        room = min(MOST_IN_FLIGHT + LARGEST_CLAIM - self.in_flight, LARGEST_CLAIM)
        if room <= 0:
            return False
        claim = await self._bench.queue.claim_simulated(self._bench.owner, self._lease, room)
        self._take(claim, started)
        return len(claim.claimed) == room

    async def _step(self) -> None:
        """One claim, and its attempts started; or a wait until there is room, or something due."""
        self._wake.clear()
        room = max(0, self._room())
        alone = self._suspect is None
        if not room and not (alone and self._more_suspects):
            if self._bench.monotonic() - self._looked_at >= self._poll:  # the relay may be slow for long
                await self._step_without_relay()
            await self._pause(self._poll)
            return
        self._turn += 1
        started = self._bench.monotonic()
        claim = await self._bench.queue.claim(self._bench.owner, self._lease, room, self._turn, alone)
        self._take(claim, started)
        if claim.suspect is not None:
            self._suspect = self._start(claim.suspect, started)
        if alone:
            self._more_suspects = claim.suspect is not None
        if not claim.claimed and claim.suspect is None:
            await self._pause(self._until(claim.next_due_at))

    def _room(self) -> int:
        """How many more rows to claim, so that about half a second's work is in flight, and at least what the relay
        could take at once. Not in dribbles: half of it has to be free, or it is not worth a transaction. While there
        are suspects, who go one by one, nothing stands in line for a connection before them."""
        line = 0 if self._more_suspects else int(self._pace.lately() / 2)
        most = min(MOST_IN_FLIGHT, max(self._relay.free() + self.in_flight, line))
        room = min(most - self.in_flight, LARGEST_CLAIM)
        return room if 2 * room >= min(most, LARGEST_CLAIM) else 0

    def _take(self, claim: ClaimLike, started: float) -> None:
        self._clock.set(claim.now)
        self._bench.journal.claimed(len(claim.claimed), self._bench.monotonic() - started)
        for claimed in claim.claimed:
            self._start(claimed, started)

    def _start(self, claimed: Claimed, started: float) -> asyncio.Task[None]:
        lease = Lease(claimed, started + self._lease)
        task = asyncio.create_task(attempt(self._bench, lease))
        self._leases[task] = lease
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._leases[task]
        if task is self._suspect:
            self._suspect = None
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            # Its lease is left to run out: what kills an attempt is treated like what kills a worker.
            self._bench.journal.crashed("attempt", error)
        self._pace.finished()
        self._wake.set()

    def _until(self, due_at: datetime | None) -> float:
        return self._poll if due_at is None else min(self._poll, max(0.001, (due_at - self._clock()).total_seconds()))

    async def _pause(self, most: float) -> None:
        """Until something wakes us, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._wake.wait()

    async def renew(self) -> None:
        """Renews the leases of what is in flight. Raises Unavailable."""
        held = {lease.token: lease for lease in self._leases.values()}
        if not held:
            return
        started = self._bench.monotonic()
        standing = await self._bench.queue.extend(list(held), self._lease)
        for (id_, _), lease in held.items():
            if id_ in standing:
                lease.deadline = started + self._lease

    async def _keep(self) -> None:
        """Renews leases three times in the life of one; after the database was away, as soon as it is back: the
        janitors wait for that before they call anybody lost."""
        pause = self._lease / 3
        while True:
            await asyncio.sleep(pause)
            try:
                await self.renew()
            except Unavailable as error:
                self._bench.journal.storeless("lease renewal", error)
                pause = min(RENEW_AGAIN, self._lease / 3)
            except Exception as error:  # noqa: BLE001 - whatever it is, what is being sent needs its leases
                self._bench.journal.crashed("lease renewal", error)
                pause = min(RENEW_AGAIN, self._lease / 3)
            else:
                pause = self._lease / 3

    async def _finish_in_flight(self) -> None:
        """Waits for attempts to end, then cuts off those still sending; what has an outcome gets to record it."""
        if self._leases:
            await asyncio.wait(self._leases, timeout=self._grace)
        for task, lease in list(self._leases.items()):
            if not lease.over:
                task.cancel()
        if self._leases:
            await asyncio.wait(self._leases, timeout=RECORDING)
        for task in list(self._leases):
            task.cancel()
        await asyncio.gather(*self._leases, return_exceptions=True)
