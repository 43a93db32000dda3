"""One SMTP transaction: MAIL, RCPT..., DATA, the body and its final dot (RFC 5321 3.3), pipelined where the relay
offers it (RFC 2920). Whatever happens, the stage it happened at is known, and each recipient gets its outcome."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from notifier.domain.lifecycle import Deferred, Outcome, Stage, Unknown
from notifier.mail.relay.replies import CLOSING, needs_session, outcome, positive, recipient_outcome
from notifier.mail.relay.session import Session, Troubled
from notifier.mail.relay.wire import Lost, RawReply, WireError

AT_ONCE = 65536  # octets of body that go out together with their dot, in one write
SLOWEST = 16384  # octets per second: an upload slower than that, after a phase's time, is given up

DOT = b".\r\n"
GO_AHEAD = 354
OUT_OF_ORDER = 503

_LEADING_DOT = re.compile(rb"(?m)^\.")

BeforeBody = Callable[[], Awaitable[bool]]


class Stale(Exception):
    """A connection that had been used before was dead when MAIL went out, and no reply came: nothing has happened."""


class Withdrawn(Exception):
    """`before_body` answered False. The connection was closed before the first octet of the body."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for a phase, and for the reply to the final dot."""

    phase: float
    dot: float


class Dialogue:
    """The dialogue for one message. `outcomes` fills up as replies come; `run` leaves nobody without one."""

    def __init__(self, session: Session, recipients: Mapping[int, bytes], limits: Limits) -> None:
        self._session = session
        self._wire = session.wire
        self._recipients = recipients
        self._limits = limits
        self._stage = Stage.MAIL
        self._dot_sent = False
        self.outcomes: dict[int, Outcome] = {}

    async def run(self, mail: bytes, body: bytes, before_body: BeforeBody) -> None:
        """`mail` is the MAIL command, `body` the message in CRLF lines.

        Raises Stale, Withdrawn, Troubled (530) and whatever `before_body` raises; the connection is closed then, as
        it is when cancelled. Cancelled after the final dot it returns all the same: nobody can take the dot back, and
        that the outcome is unknown has to reach the record.
        """
        session = self._session
        session.messages += 1
        session.open = True
        try:
            if not await self._envelope(mail):
                return
            if not await before_body():
                raise Withdrawn
            await self._body(body)
        except WireError as error:
            session.abort(str(error))
            self._cut(str(error))
        except asyncio.CancelledError:
            session.abort("canceled")
            if not self._dot_sent:
                raise
            self._cut("canceled while waiting for it")
        except BaseException:
            session.abort("given up")
            raise

    def _cut(self, why: str) -> None:
        """The session ended early: whoever has no outcome yet gets the one that this stage means."""
        if reply := self._wire.early():  # it came all the same: it crossed our giving up, or a body on its way
            self._rest(outcome(reply, Stage.DOT if self._dot_sent else self._stage))
        elif self._dot_sent:
            self._rest(Unknown(f"no reply to the final dot: {why}"))
        else:
            self._rest(Deferred(self._stage, f"cut off at {self._stage.upper()}: {why}"))

    def _rest(self, fate: Outcome) -> None:
        for n in self._recipients:
            self.outcomes.setdefault(n, fate)

    async def _envelope(self, mail: bytes) -> bool:
        """MAIL, RCPT and DATA. True: 354 was given and somebody is there to receive."""
        rcpt = [b"RCPT TO:<%b>\r\n" % address for address in self._recipients.values()]
        if self._session.pipelining:
            self._wire.write(b"".join([mail, *rcpt, b"DATA\r\n"]))
            self._session.unanswered = len(rcpt) + 2
        return await self._mail(mail) and await self._rcpt(rcpt) and await self._data()

    async def _ask(self, command: bytes) -> RawReply:
        """The reply to a command; pipelined, the command is on its way already."""
        if not self._session.pipelining:
            self._wire.write(command)
            return await self._wire.reply(self._limits.phase)
        reply = await self._wire.reply(self._limits.phase)
        self._session.unanswered -= 1
        return reply

    async def _mail(self, command: bytes) -> bool:
        try:
            reply = await self._ask(command)
        except Lost as error:
            if self._session.idle_since:
                raise Stale from error
            raise
        if positive(reply):
            return True
        return self._refused(reply)

    async def _rcpt(self, commands: list[bytes]) -> bool:
        self._stage = Stage.RCPT
        accepted = 0
        for n, command in zip(self._recipients, commands, strict=True):
            reply = await self._ask(command)
            if positive(reply):
                accepted += 1
            elif reply[0] == CLOSING:
                return self._refused(reply)
            elif (trouble := needs_session(reply)) and not accepted:
                raise Troubled(trouble)
            else:
                self.outcomes[n] = recipient_outcome(reply, others_accepted=accepted > 0)
        return accepted > 0

    async def _data(self) -> bool:
        self._stage = Stage.DATA
        reply = await self._ask(b"DATA\r\n")
        return reply[0] == GO_AHEAD or self._refused(reply)

    def _refused(self, reply: RawReply) -> bool:
        """A reply that ends the transaction for everyone left. Always False."""
        if trouble := needs_session(reply):
            raise Troubled(trouble)
        self._rest(outcome(reply, self._stage))
        if reply[0] in (CLOSING, OUT_OF_ORDER) or positive(reply):
            self._session.abort("the relay ended the session")
        return False

    async def _body(self, body: bytes) -> None:
        if body.startswith(b".") or b"\r\n." in body:
            body = _LEADING_DOT.sub(b"..", body)  # RFC 5321 4.5.2
        wire = self._wire
        if len(body) <= AT_ONCE:
            wire.check()
            self._dot_sent = True
            wire.write(body + (DOT if body.endswith(b"\r\n") else b"\r\n" + DOT))
        elif not await self._upload(body):
            return
        self._stage = Stage.DOT
        reply = await wire.reply(self._patience(body))
        self._session.open = False
        if not 400 <= reply[0] < 600 and not positive(reply):
            raise WireError(f"it answers {reply[0]}")
        self._rest(outcome(reply, Stage.DOT))
        if reply[0] == CLOSING:
            self._session.abort("the relay ended the session")

    def _patience(self, body: bytes) -> float:
        """Seconds for the reply to the final dot. Most of a big body may still be in the system's buffers then."""
        return self._limits.dot + (len(body) / SLOWEST if len(body) > AT_ONCE else 0.0)

    async def _upload(self, body: bytes) -> bool:
        """A big body by pieces, its dot only when the transport has taken it all. False: the relay cut in."""
        wire = self._wire
        deadline = asyncio.get_running_loop().time() + self._limits.phase + len(body) / SLOWEST
        view = memoryview(body)
        for start in range(0, len(body), AT_ONCE):
            if reply := wire.early():
                self._session.abort("the relay cut in")
                self._rest(outcome(reply, Stage.DATA))
                return False
            wire.write(view[start : start + AT_ONCE])
            await wire.drained(deadline)
        self._dot_sent = True
        wire.write(DOT if body.endswith(b"\r\n") else b"\r\n" + DOT)
        return True
