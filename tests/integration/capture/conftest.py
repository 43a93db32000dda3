"""A capture server, and a client that writes exactly the bytes it is given."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from notifier.capture import Capture


@pytest.fixture(scope="session", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: the demo runs the server on uvloop, a user's test on whatever it has."""
    return "asyncio", {"use_uvloop": request.param}


class Wire:
    """A raw SMTP client: what it reads are whole replies, line ends stripped."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def reply(self) -> str:
        """The next reply, all its lines; ``""`` at the end of the connection."""
        lines = []
        while line := (await self.reader.readline()).decode():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    async def is_closed(self) -> bool:
        """Waits for what comes next, and says whether that was the end of the connection."""
        try:
            return await self.reply() == ""
        except ConnectionError:
            return True

    async def replies(self, count: int) -> list[str]:
        return [(await self.reply())[:3] for _ in range(count)]

    async def say(self, *lines: str) -> str:
        """Sends all lines in one write and reads one reply."""
        self.send(*lines)
        return await self.reply()

    def send(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def mail(self, *rcpts: str, sender: str = "a@x.test", body: str = "Subject: hi\r\n\r\nhello") -> list[str]:
        """One transaction, command by command; the code of each reply, up to the first one to DATA that is no 354."""
        codes = [await self.say(f"MAIL FROM:<{sender}>")]
        codes += [await self.say(f"RCPT TO:<{rcpt}>") for rcpt in rcpts]
        codes.append(await self.say("DATA"))
        if codes[-1].startswith("354"):
            codes.append(await self.say(*body.split("\r\n"), "."))
        return [code[:3] for code in codes]


Connect = Callable[..., "asyncio.Future[Wire]"]


@pytest.fixture
async def capture() -> AsyncIterator[Capture]:
    async with Capture() as server:
        yield server


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[Capture], object]]:
    """``await connect(server)`` gives a `Wire` that has read the banner and said EHLO (``hello=False``: neither)."""
    async with AsyncExitStack() as stack:

        async def open_wire(server: Capture, *, hello: bool = True) -> Wire:
            reader, writer = await asyncio.open_connection(server.host, server.port)

            async def close() -> None:
                writer.close()
                await asyncio.gather(writer.wait_closed(), return_exceptions=True)

            stack.push_async_callback(close)
            wire = Wire(reader, writer)
            if hello:
                await wire.reply()
                await wire.say("EHLO me.test")
            return wire

        yield open_wire
