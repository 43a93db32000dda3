"""One SMTP connection: its life, what is written down of it, and how a fault is carried out."""

import asyncio
import logging
import ssl
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as PeerSession

from notifier.capture.faults import (
    Action,
    Delay,
    Drop,
    Fail,
    FaultPlan,
    Garbage,
    Greylist,
    Hang,
    Stage,
    Trickle,
    reply,
)
from notifier.capture.ledger import Command, Ledger, Session, Transaction
from notifier.capture.store import MessageStore

_log = logging.getLogger(__name__)
_IDLE = 3600.0  # seconds; tests that want an idle time-out close the connections themselves
_COMMAND_LIMIT = 1000  # octets; RFC 5321 4.5.3.1.4 asks for 512 at least, SMTPUTF8 for more


@dataclass(frozen=True, slots=True)
class Terms:
    """What the server offers and demands."""

    hostname: str
    pipelining: bool
    smtputf8: bool
    eight_bit_mime: bool
    size_limit: int | None
    starttls: ssl.SSLContext | None
    require_tls: bool
    users: Mapping[str, str] | None


class Verbatim(bytes):
    """An answer that goes out as it is, without a line end added."""


class _PeerSession(PeerSession):
    login_data = None  # the base warns at each assignment, which it makes itself


class Connection(SMTP):
    """A connection of aiosmtpd's. `connections` is the server's set of open ones, in which it keeps itself."""

    def __init__(
        self, terms: Terms, faults: FaultPlan, messages: MessageStore, ledger: Ledger, connections: "set[Connection]"
    ) -> None:
        self.command_size_limits = defaultdict(lambda: _COMMAND_LIMIT)  # the base shares one between all connections
        self._terms = terms
        self._faults = faults
        self._messages = messages
        self._ledger = ledger
        self._connections = connections
        self.record = Session(0, "")  # until it is connected
        self._command: Command | None = None
        self._transaction: Transaction | None = None
        self._pace = 0.0
        super().__init__(
            self,
            hostname=terms.hostname,
            data_size_limit=terms.size_limit,
            enable_SMTPUTF8=terms.smtputf8,
            tls_context=terms.starttls,
            require_starttls=terms.require_tls,
            auth_required=False,
            auth_require_tls=False,
            auth_exclude_mechanism=(),
            authenticator=self._authenticated,
            timeout=_IDLE,
            ident="ESMTP notifier capture",
            loop=asyncio.get_running_loop(),
        )
        self._smtp_methods = {verb: self._recorded(verb, method) for verb, method in self._smtp_methods.items()}

    # -- the connection ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self not in self._connections:  # STARTTLS comes here a second time
            peer = transport.get_extra_info("peername")
            self.record = self._ledger.opened(f"{peer[0]}:{peer[1]}" if peer else "")
            self.record.tls = transport.get_extra_info("sslcontext") is not None
            self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._leave()
        super().connection_lost(error)

    def _leave(self) -> None:
        """Takes the connection off the server's books, once."""
        if self in self._connections:
            self._connections.discard(self)
            self._ledger.closed(self.record)
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()

    def abort(self) -> None:
        """Ends the connection now."""
        for transport in (self.transport, self._original_transport):
            if transport is not None:
                cast(asyncio.WriteTransport, transport).abort()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()  # in mid-handshake an abort tells it nothing

    async def ended(self) -> None:
        """Returns when the task that leads the dialogue is done, which is soon after the connection's end."""
        if self._handler_coroutine is not None:
            await asyncio.wait([self._handler_coroutine])

    async def _handle_client(self) -> None:
        try:
            if (answer := await self._meet("connect")) is not None:
                await self.push(answer)
                self._close()
            else:
                await super()._handle_client()
        except ConnectionError:
            pass  # the client went while it was being answered
        finally:
            self._close()  # a client that only half-closed would keep it open

    async def handle_exception(self, error: Exception) -> str:
        """The answer to a bug of ours or of the base, which must not pass for a scripted fault."""
        _log.error("%s: %s failed", self.record.peer, self._command, exc_info=error)
        return f"500 5.3.0 The capture server failed: {type(error).__name__}"

    # -- commands and answers ---------------------------------------------------------------------------------------

    def _recorded(self, verb: str, method: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Any]:
        async def run(arg: str | None) -> None:
            self._pace = 0.0
            self._command = Command(verb, _masked(verb, arg))
            self.record.commands.append(self._command)
            if self._reader._buffer:  # type: ignore[attr-defined]
                self.record.pipelined = True
                if not self._terms.pipelining:
                    await self.push("503 5.5.0 Pipelining was not offered")
                    await self._end()
            if self._transaction is not None and verb in {"MAIL", "RCPT", "DATA"}:
                self._transaction.reply = None
            await method(arg)
            if self.envelope is not None and self.envelope.mail_from is None:
                self._transaction = None

        return run

    async def push(self, status: str | bytes) -> None:
        """Sends an answer, at the pace of a trickle if there is one, and writes it down when it has gone out."""
        plain = status.encode() if isinstance(status, str) else status
        await self._write(plain if isinstance(plain, Verbatim) else plain + b"\r\n")
        text = plain.decode("utf-8", "replace")
        if self._command is not None:
            self._command.reply = text
            if self._transaction is not None and self._command.verb in {"MAIL", "RCPT", "DATA"}:
                self._transaction.reply = text

    async def _write(self, content: bytes) -> None:
        if not self._pace:
            self._writer.write(content)
            await self._writer.drain()
            return
        for byte in content:
            self._writer.write(bytes([byte]))
            await self._writer.drain()
            await asyncio.sleep(self._pace)

    async def _meet(self, stage: Stage, rcpts: tuple[str, ...] = ()) -> str | Verbatim | None:
        """Lets the next fault of this stage happen. Returns what to answer in place of the usual, if anything."""
        sender = self._transaction.mail_from if self._transaction is not None else None
        return await self._carry_out(self._faults.next(stage, sender, rcpts))

    async def _carry_out(self, action: Action | None) -> str | Verbatim | None:
        match action:
            case Fail(421, text):
                await self.push(reply(421, text))
                await self._end()
            case Fail(code, text):
                return reply(code, text)
            case Greylist():
                return "451 4.7.1 Greylisted, try again later"
            case Garbage(content):
                return Verbatim(content)
            case Drop():
                await self._end()
            case Hang():
                await asyncio.Event().wait()
            case Delay(seconds):
                await asyncio.sleep(seconds)
            case Trickle(seconds):
                self._pace = seconds
        return None

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def _end(self) -> None:
        """Closes the connection after what was written, and does not come back: its end cancels this task."""
        self._close()
        await asyncio.Event().wait()

    def _authenticated(
        self, _server: SMTP, _session: PeerSession, _envelope: Envelope, _mechanism: str, given: LoginPassword
    ) -> AuthResult:
        user = given.login.decode("utf-8", "replace")
        if self._terms.users is None or self._terms.users.get(user) != given.password.decode("utf-8", "replace"):
            return AuthResult(success=False, handled=False)
        self.record.auth = user
        return AuthResult(success=True, auth_data=given)

    def _create_session(self) -> PeerSession:
        return _PeerSession(self.loop)


def _masked(verb: str, arg: str | None) -> str:
    """The command line as it was, without what proves who someone is."""
    if verb == "AUTH" and arg:
        arg = " ".join([arg.split()[0], *("***" for _ in arg.split()[1:])])
    return verb if arg is None else f"{verb} {arg}"
