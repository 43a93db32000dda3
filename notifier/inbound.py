"""The listener that bounces and complaints come in through: SMTP, for addresses of ours alone.

A report is believed for the notification whose signed return path it was sent to, or that it quotes. It is answered
250 once what it says is stored, and 451 where it cannot be now, so that its sender tries again. What cannot be read at
all is logged and answered 250: it would come back unread for days.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from notifier.domain.errors import Unavailable
from notifier.domain.feedback import Feedback
from notifier.mail.bounce import read_report
from notifier.mail.return_path import ReturnPath

LARGEST: Final = 1024 * 1024
"""Octets. What quotes a mail of ours whole may be refused; what it says stands in its first kilobytes."""
MOST_CONNECTIONS: Final = 50
_IDLE: Final = 60.0

log = logging.getLogger(__name__)


class Inbound:
    """Listens for as long as it is entered. `hear` records what a report says; `port` 0 takes a free one."""

    def __init__(
        self,
        return_path: ReturnPath,
        hear: Callable[[Feedback], Awaitable[bool]],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        received: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.host = host
        self.port = port
        self._return_path = return_path
        self._hear = hear
        self._received = received
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    async def __aenter__(self) -> "Inbound":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connected, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for connection in tuple(self._open):
                connection.leave()
            await self._server.wait_closed()

    def _connected(self) -> "_Connection":
        return _Connection(self, self._return_path.domain, self._open)

    # ---- what aiosmtpd asks, by the names it asks with

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str | None, options: list[str]
    ) -> str:
        envelope.mail_from = address or "<>"  # the base takes an empty sender, which bounces have, for none
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.lower() != self._return_path.address.lower() and self._return_path.read(address) is None:
            return "550 5.1.1 This server takes bounces of its own mail alone"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            reports = await asyncio.to_thread(self._read, content, envelope.rcpt_tos)
        except Exception as error:  # a defect of ours reads it no better when it comes again, for days
            log.error("a bounce could not be read, and is left at that", exc_info=error)
            reports = []
        try:
            changed = [await self._hear(one) for one in reports]
        except Unavailable as error:
            return f"451 4.3.0 {error.detail}"
        self._received("changed" if any(changed) else "noted" if reports else "ignored")
        return "250 2.0.0 Ok"

    async def handle_exception(self, error: Exception) -> str:
        log.error("a bounce could not be taken", exc_info=error)
        return "451 4.3.0 Something broke here; try again later"

    def _read(self, content: bytes, rcpt_tos: Sequence[str]) -> list[Feedback]:
        """What a message says, of the notification that its envelope or what it quotes was signed for."""
        signed = (self._return_path.read(address) for address in rcpt_tos)
        id_ = next((id_ for id_ in signed if id_), None) or self._return_path.find(content.decode("latin-1"))
        return [replace(one, notification=id_) for one in read_report(content)] if id_ else []


class _Connection(SMTP):
    """One connection; more than `MOST_CONNECTIONS` are closed without a word."""

    def __init__(self, handler: Inbound, hostname: str, open_: "set[_Connection]") -> None:
        self._neighbours = open_
        super().__init__(
            handler,
            hostname=hostname,
            ident="ESMTP",
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            timeout=_IDLE,
            loop=asyncio.get_running_loop(),
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._neighbours) >= MOST_CONNECTIONS:
            transport.close()
            return
        self._neighbours.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._neighbours:
            self._neighbours.discard(self)
            super().connection_lost(error)

    def leave(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.abort()
