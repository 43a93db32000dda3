"""The connections to one relay: who may have one, when one is opened, rested, replaced and closed."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine

from notifier.domain.lifecycle import RelayTrouble, Stage
from notifier.mail.relay.breaker import Breaker
from notifier.mail.relay.observer import RelayObserver
from notifier.mail.relay.session import Door, Session, Troubled
from notifier.mail.relay.settings import RelaySettings

SHUT = RelayTrouble("unreachable", Stage.CONNECT, "notifier is shutting down")


class Pool:
    """Sessions in three places: `busy` (lent), `resting` (a RSET or QUIT of theirs is under way) and idle. All of
    them count: a relay that allows three connections counts those that are saying goodbye too."""

    def __init__(self, settings: RelaySettings, door: Door, breaker: Breaker, observer: RelayObserver) -> None:
        self._settings = settings
        self._door = door
        self._breaker = breaker
        self._observer = observer
        self._idle: list[Session] = []  # the one used last is used first
        self._busy: set[Session] = set()
        self._resting: set[Session] = set()
        self._openings: set[asyncio.Task[Session]] = set()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._chores: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.TimerHandle | None = None
        self.shut = False
        self.verdict = asyncio.Event()
        """Set when no connection is being tried: then the breaker is not half open."""

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def standing(self) -> int:
        """Connections that work, as far as anyone knows."""
        return len(self._busy) + len(self._resting) + sum(session.usable for session in self._idle)

    @property
    def free(self) -> int:
        """How many could be had now."""
        if self.shut:
            return 0
        taken = len(self._busy) + len(self._resting) + len(self._openings) + len(self._waiters)
        return max(0, self._breaker.allowance - taken)

    async def acquire(self) -> Session:
        """A session ready for MAIL: an idle one, a new one, or the next that comes free. Raises Troubled."""
        waited = False
        while True:
            if self.shut:
                raise Troubled(SHUT)
            probing = self._breaker.may_probe()
            if self._breaker.state != "closed" and not probing:
                raise Troubled(self._breaker.trouble or SHUT)
            if session := self._fresh_idle():
                return session
            if probing or self._room > 0:
                if session := await self._open():
                    return session
            else:
                await self._turn(again=waited)
                waited = True

    @property
    def _room(self) -> int:
        """Connections that may still be opened."""
        total = len(self._busy) + len(self._resting) + len(self._idle) + len(self._openings)
        return self._breaker.allowance - total

    def _fresh_idle(self) -> Session | None:
        while self._idle and self._breaker.state == "closed":
            session = self._idle.pop()
            if session.usable:
                self._busy.add(session)
                return session
            self._close(session, "closed by the relay while idle")
        return None

    async def _open(self) -> Session | None:
        """A new session. None: the relay wants no more connections than stand already. Raises Troubled."""
        breaker = self._breaker
        opening = asyncio.get_running_loop().create_task(self._door.open())
        self._openings.add(opening)
        self.verdict.clear()
        try:
            session = await opening
        except Troubled as error:
            self._observer.trouble(error.trouble)
            if breaker.state == "closed" and (standing := self.standing):
                breaker.refused(error.trouble, standing)
                self._wake_later(breaker.ceiling_until)
                return None
            self.fail(error.trouble)
            raise
        except Exception as error:
            # A defect, here or in a library. The queue waits, as for any trouble, and whoever waits is told.
            trouble = RelayTrouble("unreachable", Stage.CONNECT, f"{type(error).__name__}: {error}")
            self._observer.trouble(trouble)
            self.fail(trouble)
            raise Troubled(trouble) from error
        except asyncio.CancelledError:
            breaker.abandoned()
            if self.shut and not _canceling():
                raise Troubled(SHUT) from None
            raise
        finally:
            self._openings.discard(opening)
            self.verdict.set()
            self._wake()
        self._busy.add(session)
        self._observer.connection_opened()
        breaker.opened(self.standing)
        for _ in range(self._room):
            self._wake()
        return session

    def fail(self, trouble: RelayTrouble) -> None:
        """The relay is of no use now: the breaker opens, whoever waits is told, idle connections are let go."""
        self._breaker.failed(trouble)
        while self._idle:
            self._retire(self._idle.pop())
        self._wake_all()

    def release(self, session: Session) -> None:
        """Give a session back after a transaction, whatever state that left it in."""
        if session not in self._busy:
            return
        self._busy.remove(session)
        if session.wire.ended or not (session.usable or session.open):
            self._close(session, "ended by the relay")
        elif self.shut or session.messages >= self._settings.messages_per_connection:
            self._retire(session)
        elif session.usable:
            self._rest(session)
        else:
            self._resting.add(session)
            self._chore(self._settle(session))
        self._wake()

    def discard(self, session: Session, reason: str) -> None:
        """Close a lent session at once, without a word."""
        session.abort(reason)
        self._busy.discard(session)
        self._close(session, reason)
        self._wake()

    def _rest(self, session: Session) -> None:
        session.idle_since = asyncio.get_running_loop().time()
        self._idle.append(session)
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().call_later(self._settings.idle_close, self._reap)

    def _reap(self) -> None:
        """Retire what has been idle for too long, and what the relay has closed."""
        loop = asyncio.get_running_loop()
        self._reaper = None
        oldest = loop.time() - self._settings.idle_close
        old = [s for s in self._idle if s.idle_since <= oldest or not s.usable]
        self._idle = [s for s in self._idle if s not in old]
        for session in old:
            self._retire(session)
        if self._idle:
            due = min(s.idle_since for s in self._idle) + self._settings.idle_close
            self._reaper = loop.call_at(due, self._reap)

    def _retire(self, session: Session) -> None:
        self._resting.add(session)
        self._chore(self._quit(session))

    async def _settle(self, session: Session) -> None:
        settled = False
        try:
            settled = await session.settle(self._settings.quit_timeout)
        finally:
            self._resting.discard(session)
            if settled and not self.shut and self._breaker.state == "closed":
                self._rest(session)
            else:
                session.abort("not settled")
                self._close(session, "not settled after a refusal")
            self._wake()

    async def _quit(self, session: Session) -> None:
        try:
            await session.quit(self._settings.quit_timeout)
        finally:
            self._resting.discard(session)
            self._close(session, "retired")
            self._wake()

    def _chore(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    def _close(self, session: Session, reason: str) -> None:
        session.abort(reason)
        self._observer.connection_closed(reason)

    # Waiting for a turn

    async def _turn(self, *, again: bool) -> None:
        """Until something has changed, in the order of coming; who was woken in vain keeps the first place."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if again:
            self._waiters.appendleft(waiter)
        else:
            self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif not waiter.cancelled():
                self._wake()  # the turn was ours; it goes to the next
            raise

    def _wake(self) -> None:
        """Give the next in line its turn."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _wake_later(self, when: float) -> None:
        """Have the next in line try for one more connection then, should those that stand be busy for long."""
        asyncio.get_running_loop().call_later(max(0.0, when - time.monotonic()), self._wake)

    def _wake_all(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def aclose(self) -> None:
        """Lent sessions are cut off, which gives their senders true outcomes; idle ones say QUIT, for a short time."""
        self.shut = True
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        for opening in tuple(self._openings):
            opening.cancel()
        for session in tuple(self._busy):
            session.abort("notifier is shutting down")
        while self._idle:
            self._retire(self._idle.pop())
        self._wake_all()
        await asyncio.gather(*self._chores, return_exceptions=True)


def _canceling() -> bool:
    """Whether it is us, not a task that we wait for, who was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
