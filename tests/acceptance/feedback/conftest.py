"""Somebody's endpoint: a real HTTP server that answers as it is told, and keeps what it was sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Endpoint:
    """`answers` are used up one by one, then it is 200; None never answers."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: list[bytes | None] = field(default_factory=list)
    connections: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def until(self, count: int, seconds: float = 15.0) -> list[Received]:
        """Waits until so many requests came."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            answer = self.answers.pop(0) if self.answers else answered(200, b"thanks")
            async with self._news:
                self.received.append(Received(head[0].split(" ")[1], headers, body))
                self._news.notify_all()
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        writer.close()


def answered(status: int, body: bytes = b"", **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{lines}\r\n".encode() + body


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async for one in _served():
        yield one


@pytest.fixture
async def another() -> AsyncIterator[Endpoint]:
    async for one in _served():
        yield one


async def _served() -> AsyncIterator[Endpoint]:
    one = Endpoint()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    yield one
    server.close()
