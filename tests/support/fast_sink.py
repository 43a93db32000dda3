"""A relay that costs next to nothing, in a process of its own: it takes every mail and notes who it was for, and when.

    python -m tests.support.fast_sink

Prints its port. For each line on standard input it prints, as JSON, what came since the last one: [[seconds, address]],
one for each mail, in order.
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from types import TracebackType
from typing import Self, cast

import uvloop

Came = list[tuple[float, str]]

_REPLIES = {
    b"EHLO": b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}


class _Session(asyncio.Protocol):
    def __init__(self, came: Came) -> None:
        self._came = came
        self._buffer = b""
        self._to = ""
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink.test\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        replies = []
        while True:
            found, ended, rest = self._buffer.partition(b"\r\n.\r\n" if self._in_body else b"\r\n")
            if not ended:
                break
            self._buffer = rest
            replies.append(self._take(found))
        if replies:
            self._transport.write(b"".join(replies))

    def _take(self, line: bytes) -> bytes:
        if self._in_body:
            self._in_body = False
            self._came.append((time.monotonic(), self._to))
            return b"250 ok\r\n"
        verb = line[:4].upper()
        if verb == b"RCPT":
            self._to = line.decode().partition("<")[2].partition(">")[0]
        self._in_body = verb == b"DATA"
        return _REPLIES.get(verb, b"250 ok\r\n")


class FastSink:
    """The process, from the other side."""

    host = "127.0.0.1"
    port = 0
    _process: Process

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, limit=2**28
        )
        self.port = int(await self._line())
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

    async def came(self) -> Came:
        """What came since the last time."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return [(at, to) for at, to in json.loads(await self._line())]


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    came: Came = []
    server = await loop.create_server(lambda: _Session(came), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(came), flush=True)
        came.clear()


if __name__ == "__main__":
    uvloop.run(_serve())
