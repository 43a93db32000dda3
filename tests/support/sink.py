"""A relay that is faster than the capture server, and notifications that need no template: for tests of throughput."""

import asyncio
import time
from datetime import UTC, datetime

from notifier.domain.acceptance import New
from notifier.domain.notification import Address, Content, Notification, Priority, Recipient, uuid7


class Sink:
    """The shortest SMTP server: each mail takes it `seconds`, and it notes when each recipient came, in order."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.came: dict[str, float] = {}
        self.news = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> "Sink":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client hung up
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to = ""
        writer.write(b"220 short.test\r\n")
        while True:
            line = await reader.readuntil(b"\r\n")
            if line.startswith(b"RCPT"):
                to = line.decode().partition("<")[2].partition(">")[0]
            if line.startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                await asyncio.sleep(self._seconds)
                self.came[to] = time.monotonic()
                self.news.set()
            writer.write(b"250 ok\r\n")

    async def wait_for(self, address: str) -> float:
        while address not in self.came:
            self.news.clear()
            await self.news.wait()
        return self.came[address]


def mail(project: str, priority: Priority, to: str) -> New:
    return New(
        Notification(
            id=(id_ := uuid7()),
            project=project,
            created_at=datetime.now(UTC),
            message_id=f"<{id_}@example.com>",
            sender=Address("shop@example.com"),
            recipients=(Recipient(0, "to", to, address_key=to),),
            content=Content("Hello", "Hello."),
            priority=priority,
        )
    )
