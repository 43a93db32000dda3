"""The capture server: an SMTP server that keeps what it gets, and misbehaves as it is told."""

import asyncio
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from notifier.capture.connection import Connection, Terms
from notifier.capture.dialogue import Dialogue
from notifier.capture.faults import FaultPlan
from notifier.capture.ledger import Ledger, Session, Transaction
from notifier.capture.script import Scripted
from notifier.capture.store import MessageStore


class Capture(Scripted):
    """An SMTP server in the caller's loop.

    `port` 0 takes a free one; `host` and `port` say where it listens once it started. With a `tls_context` it offers
    STARTTLS, or speaks TLS from the first byte with `implicit_tls`; `require_tls` refuses everything before TLS. With
    `users` (name to password) it demands AUTH PLAIN or LOGIN before MAIL, without it offers none. `size_limit` is in
    octets, None is none. It keeps the last `keep` messages, sessions and transactions.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        pipelining: bool = True,
        smtputf8: bool = True,
        eight_bit_mime: bool = True,
        size_limit: int | None = 32 * 1024 * 1024,
        tls_context: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        require_tls: bool = False,
        users: Mapping[str, str] | None = None,
        hostname: str = "capture.test",
        keep: int = 1000,
    ) -> None:
        if (implicit_tls or require_tls) and tls_context is None:
            raise ValueError("TLS needs a tls_context; capture.tls makes one for tests")
        self.host = host
        self.port = port
        self.messages = MessageStore(keep)
        self.faults = FaultPlan()
        self._ledger = Ledger(keep)
        self._implicit = tls_context if implicit_tls else None
        self._terms = Terms(
            hostname=hostname,
            pipelining=pipelining,
            smtputf8=smtputf8,
            eight_bit_mime=eight_bit_mime,
            size_limit=size_limit,
            starttls=None if implicit_tls else tls_context,
            require_tls=require_tls and not implicit_tls,
            users=users,
        )
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens. OSError if the port is taken. After `stop` it can be started again, on the same port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connected, self.host, self.port, ssl=self._implicit)
        self.port = self._server.sockets[0].getsockname()[1]
        self.messages.open()

    async def stop(self) -> None:
        """Stops listening, ends every connection and every wait. What was received stays readable."""
        if self._server is None:
            return
        self._server.close()
        await self.disconnect()
        await self._server.wait_closed()
        self._server = None
        self.messages.close()

    async def disconnect(self) -> int:
        """Ends every open connection without a word, as a restart or an idle time-out does. Says how many."""
        connections = tuple(self._connections)
        for connection in connections:
            connection.abort()
        for connection in connections:
            await connection.ended()
        return len(connections)

    @property
    def ledger(self) -> list[Transaction]:
        """Every transaction from MAIL on, oldest first."""
        return list(self._ledger.transactions)

    @property
    def sessions(self) -> list[Session]:
        """Every connection, oldest first."""
        return list(self._ledger.sessions)

    @property
    def open_connections(self) -> int:
        return self._ledger.open

    @property
    def peak_connections(self) -> int:
        """The most connections that were open at once."""
        return self._ledger.peak

    @property
    def total_connections(self) -> int:
        return self._ledger.total

    def _connected(self) -> Dialogue:
        return Dialogue(self._terms, self.faults, self.messages, self._ledger, self._connections)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
