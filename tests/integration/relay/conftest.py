"""Relays that are closed at the end, a capture server, and a server that says what a test tells it to."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import pytest

from notifier.capture import Capture
from notifier.domain.lifecycle import RelayTrouble, SendResult
from notifier.mail.relay import Envelope, Relay, RelaySettings

MAIL = b"Subject: hello\r\n\r\nSGVsbG8=\r\n"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: transports, and TLS above all, are the loop's own work."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def capture() -> AsyncIterator[Capture]:
    async with Capture() as server:
        yield server


class Peer:
    """The server's end of one connection, led by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.lines: list[str] = []

    def say(self, *replies: str) -> None:
        self.writer.write("".join(f"{reply}\r\n" for reply in replies).encode())

    async def hear(self, *starts: str) -> str:
        """The next line for each of these, which it has to begin with; the last one is given back."""
        line = ""
        for start in starts:
            line = (await self.reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            self.lines.append(line)
            assert line.startswith(start), f"{line!r} where {start!r} was expected"
        return line

    async def greet(self, *keywords: str) -> None:
        self.say("220 scripted.test ESMTP")
        await self.hear("EHLO")
        self.say("\r\n".join([*(f"250-{word}" for word in ("scripted.test", *keywords)), "250 HELP"]))

    async def to_body(self) -> None:
        """Everything is accepted up to the body, which comes next."""
        if await self.hear("") == "QUIT":
            raise ConnectionResetError
        assert self.lines[-1].startswith("MAIL")
        self.say("250 ok")
        while (line := await self.hear("")).startswith("RCPT"):
            self.say("250 ok")
        assert line == "DATA"
        self.say("354 go on")

    async def take(self) -> bytes:
        """One message that everybody is accepted for, command by command or pipelined."""
        await self.to_body()
        body = await self.reader.readuntil(b"\r\n.\r\n")
        self.say("250 taken")
        return body

    async def gone(self) -> bytes:
        """What still came until the client closed the connection."""
        with suppress(ConnectionError):
            return await self.reader.read()
        return b""


class Scripted:
    """A server that plays `script` with each connection. `failures` are what went wrong in the scripts."""

    def __init__(self, script: Callable[[Peer], Awaitable[None]], tls: ssl.SSLContext | None) -> None:
        self.script = script
        self.tls = tls
        self.peers: list[Peer] = []
        self.open = 0
        self.failures: list[BaseException] = []
        self.host = "127.0.0.1"
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        self.open += 1
        try:
            await self.script(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client hung up
        except AssertionError as failure:
            self.failures.append(failure)
        finally:
            self.open -= 1
            writer.close()

    async def __aenter__(self) -> "Scripted":
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self.play(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._server = await asyncio.start_server(accept, self.host, 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        assert not self.failures, self.failures[0]


@pytest.fixture
async def scripted() -> AsyncIterator[Callable[..., Awaitable[Scripted]]]:
    """``server = await scripted(script)``."""
    async with AsyncExitStack() as stack:

        async def start(script: Callable[[Peer], Awaitable[None]], tls: ssl.SSLContext | None = None) -> Scripted:
            return await stack.enter_async_context(Scripted(script, tls))

        yield start


class Watcher:
    """An observer that writes down what it hears."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed: list[str] = []
        self.breaker: list[str] = []
        self.troubles: list[RelayTrouble] = []
        self._news = asyncio.Event()

    def connection_opened(self) -> None:
        self.opened += 1
        self._news.set()

    def connection_closed(self, reason: str) -> None:
        self.closed.append(reason)
        self._news.set()

    def breaker_changed(self, state: str, _trouble: RelayTrouble | None) -> None:
        self.breaker.append(state)
        self._news.set()

    def trouble(self, trouble: RelayTrouble) -> None:
        self.troubles.append(trouble)
        self._news.set()

    async def until(self, true: Callable[["Watcher"], bool]) -> None:
        async with asyncio.timeout(5):
            while not true(self):
                self._news.clear()
                await self._news.wait()


class Client:
    """A relay and how these tests use it."""

    def __init__(self, relay: Relay, watcher: Watcher) -> None:
        self.relay = relay
        self.watcher = watcher

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for what has no event of its own."""
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110 -- the state of a server that knows nothing of this test
                await asyncio.sleep(0.001)

    async def send(
        self,
        *recipients: str,
        sender: str = "notifier@example.test",
        body: bytes = MAIL,
        before_body: Callable[[], Awaitable[bool]] | None = None,
    ) -> SendResult | None:
        async def go_on() -> bool:
            return True

        envelope = Envelope(sender, dict(enumerate(recipients or ("zoe@example.test",))))
        return await self.relay.send(envelope, lambda _smtputf8: body, before_body or go_on)


@pytest.fixture
async def client() -> AsyncIterator[Callable[..., Client]]:
    """``client(server, connections=3, ...)``: the rest are `RelaySettings`."""
    clients: list[Client] = []

    def make(server: Capture | Scripted, **settings: object) -> Client:
        given: dict[str, object] = {
            "timeout": 5.0, "dot_timeout": 5.0, "quit_timeout": 0.3, "probe_first": 0.02, "probe_longest": 0.1,
            "local_hostname": "client.test", **settings,
        }  # fmt: skip
        watcher = Watcher()
        relay = Relay(
            RelaySettings(server.host, server.port, **given),  # type: ignore[arg-type]
            rng=random.Random(1),
            observer=watcher,
        )
        clients.append(Client(relay, watcher))
        return clients[-1]

    yield make
    for each in clients:
        await each.relay.aclose()
        assert each.watcher.opened == len(each.watcher.closed)
