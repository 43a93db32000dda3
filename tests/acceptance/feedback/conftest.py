"""Somebody's endpoint: a real HTTP server that answers as it is told, and keeps what it was sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.acceptance.conftest import House


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
    """`answers` are used up one by one, then it is 200; None never answers. `left`: somebody has gone."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: list[bytes | None] = field(default_factory=list)
    connections: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def until(self, count: int, seconds: float = 30.0) -> list[Received]:
        """Waits until so many requests came."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection is kept for as long as its answers are whole."""
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            answer: bytes | None = answered(200)
            while answer is not None and b"content-length" in answer:
                answer = await self._answer(reader)
                if answer is None:
                    await reader.read()
                else:
                    writer.write(answer)
                    await writer.drain()
        self.left.set()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        answer = self.answers.pop(0) if self.answers else answered(200, b"thanks")
        async with self._news:
            self.received.append(Received(head[0].split(" ")[1], headers, body))
            self._news.notify_all()
        return answer


OPEN = {
    "NOTIFIER_WEBHOOKS_ALLOW_HTTP": True,
    "NOTIFIER_WEBHOOKS_ALLOW_NETWORKS": "127.0.0.0/8",
    "NOTIFIER_SHUTDOWN_GRACE": 0,
}
"""Settings that let a house tell endpoints on this machine, and leave those that never answer."""


async def hook(house: House, endpoint: Endpoint, **fields: Any) -> dict[str, Any]:
    """A webhook for the endpoint."""
    answer = await house.http.post("/v1/webhooks", json={"url": endpoint.url, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


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
