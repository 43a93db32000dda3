"""The relay: one call sends one message and says what came of it, for each recipient, at which stage."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from notifier.domain.delivery import Envelope
from notifier.domain.lifecycle import RelayTrouble, Rng, SendResult, Transaction
from notifier.mail.relay.breaker import Backoff, Breaker, BreakerState
from notifier.mail.relay.dialogue import BeforeBody, Dialogue, Limits, Stale, Withdrawn
from notifier.mail.relay.envelope import Addressed
from notifier.mail.relay.observer import RelayObserver, Unobserved
from notifier.mail.relay.pace import Pace
from notifier.mail.relay.pool import Pool
from notifier.mail.relay.session import Door, Session, Troubled
from notifier.mail.relay.settings import RelaySettings

Content = Callable[[bool], bytes]
"""Builds the message (CRLF lines) when a connection is had; the argument says whether the relay offers SMTPUTF8."""


@dataclass(frozen=True, slots=True)
class RelayState:
    """How the relay stands, for `/readyz` and `/metrics`. `trouble` is what is wrong now, if anything is: with a
    closed breaker it says why there are fewer connections than allowed. `next_probe_at` is given while open."""

    breaker: BreakerState
    trouble: RelayTrouble | None
    since: datetime
    open: int
    idle: int
    next_probe_at: datetime | None


class Relay:
    """An SMTP server that we submit to (RFC 6409), over a pool of sessions that are used again and again."""

    def __init__(self, settings: RelaySettings, *, rng: Rng, observer: RelayObserver | None = None) -> None:
        self._settings = settings
        self._observer = observer or Unobserved()
        backoff = Backoff(settings.probe_first, settings.probe_longest)
        self._breaker = Breaker(settings.connections, backoff, time.monotonic, rng, self._observer.breaker_changed)
        self._pool = Pool(settings, Door(settings), self._breaker, self._observer)
        self._pace = Pace(settings.rate, time.monotonic)
        self._limits = Limits(settings.timeout, settings.dot_timeout)
        self._probe = asyncio.Lock()

    async def send(self, envelope: Envelope, content: Content, before_body: BeforeBody) -> SendResult | None:
        """One transaction for one message.

        `before_body` is awaited right before the first octet of the body; if it answers False, the connection is
        closed there and the answer is None: the relay has taken nothing. What `content` or `before_body` raise comes
        through, with nothing sent. Cancelled before the final dot, nothing was taken either; cancelled after it, the
        call still returns, with Unknown.
        """
        to = Addressed.of(envelope)
        if not to.recipients:
            return Transaction(self._settings.name, to.outcomes)
        if (trouble := self._breaker.trouble) and self._breaker.blocked:
            return trouble
        await self._pace.turn()
        while True:
            try:
                session = await self._pool.acquire()
                return await self._over(session, to, content, before_body)
            except Stale:
                continue
            except Withdrawn:
                return None
            except Troubled as error:
                return error.trouble

    async def _over(self, session: Session, to: Addressed, content: Content, before_body: BeforeBody) -> Transaction:
        """The message over this session, which goes back to the pool whatever happens."""
        name = self._settings.name
        try:
            to = to.offered(session.smtputf8, name)
            if not to.recipients:
                return Transaction(name, to.outcomes)
            body = content(session.smtputf8)
            if 0 < session.size_limit < len(body):
                return Transaction(name, to.too_big(len(body), session.size_limit, name).outcomes)
            size = b" SIZE=%d" % len(body) if session.size else b""
            utf8 = b"" if to.ascii and body.isascii() else b" SMTPUTF8"
            talk = Dialogue(session, to.recipients, self._limits)
            await talk.run(b"MAIL FROM:<%b>%b%b\r\n" % (to.sender, size, utf8), body, before_body)
            self._breaker.worked()
            return Transaction(name, {**to.outcomes, **talk.outcomes})
        except Troubled as error:
            self._observer.trouble(error.trouble)
            self._pool.fail(error.trouble)
            raise
        finally:
            self._pool.release(session)

    async def ready(self) -> None:
        """Returns when a message may be sent: the breaker is closed and the rate allows one. While it is open, one of
        those who wait here probes (connect, EHLO, TLS, AUTH), once per backoff, whoever asks how often."""
        while self._breaker.state != "closed" and not self._pool.shut:
            async with self._probe:
                await self._probe_once()
        while (wait := self._pace.wait()) > 0:  # noqa: ASYNC110 - a timer may come a little early
            await asyncio.sleep(wait)

    async def _probe_once(self) -> None:
        if self._breaker.state == "half_open":
            await self._pool.verdict.wait()
        elif self._breaker.state == "open":
            await asyncio.sleep(max(0.0, (self._breaker.probe_at or 0.0) - time.monotonic()))
            with contextlib.suppress(Troubled):  # the breaker knows, and says when next
                self._pool.release(await self._pool.acquire())

    def free(self) -> int:
        """How many messages could go at once now: slow start, a relay's own ceiling and the rate are in it."""
        return int(min(self._pool.free, self._pace.free()))

    @property
    def state(self) -> RelayState:
        breaker = self._breaker
        open_ = breaker.state == "open" and breaker.probe_at is not None
        return RelayState(
            breaker.state,
            breaker.trouble,
            _wall(breaker.since),
            self._pool.standing,
            self._pool.idle,
            _wall(breaker.probe_at) if open_ and breaker.probe_at is not None else None,
        )

    async def aclose(self) -> None:
        """Stop. Messages on their way are cut off, and their `send` returns the truth: Unknown after the final dot,
        else Deferred. Idle connections say QUIT and get `quit_timeout` for it."""
        await self._pool.aclose()


def _wall(monotonic: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=monotonic - time.monotonic())
