"""The limit of Python: one prebuilt message, replayed over pipelined connections: `python -m benchmarks.replay PORT N`.
Nothing is rendered, built, stored or logged; replies are only counted. Prints one line of JSON."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import cast

import uvloop

from benchmarks.message import SENDER, Jinja, data
from notifier.domain.notification import Address
from notifier.mail.mime import Message, build

_CONNECTIONS = 20
_ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n".encode()


def message() -> bytes:
    subject, text, html = Jinja()(data(0))
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return build(Message(Address(SENDER), (Address("user@example.com"),), subject, "<1@example.com>", when, text, html))


class Replay(asyncio.Protocol):
    """Envelope in one write, body and dot in the next, until `left` is used up."""

    def __init__(self, body: bytes, left: list[int]) -> None:
        self._body = body + b".\r\n"
        self._left = left
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._awaited, self._then = b"220 ", self._hello

    def data_received(self, data: bytes) -> None:
        # Replies to the envelope may come in pieces; the one that is awaited is always the last of them.
        if self._awaited in data:
            self._then()

    def _hello(self) -> None:
        self._awaited, self._then = b"250 ", self._next
        self._transport.write(b"EHLO replay\r\n")

    def _send_body(self) -> None:
        self._awaited, self._then = b"250 ", self._next
        self._transport.write(self._body)

    def _next(self) -> None:
        if self._left[0] <= 0:
            self._transport.close()
            self.over.set_result(None)
            return
        self._left[0] -= 1
        self._awaited, self._then = b"354 ", self._send_body
        self._transport.write(_ENVELOPE)


async def run(port: int, count: int) -> dict[str, float]:
    body, left, loop = message(), [count], asyncio.get_running_loop()
    cpu, started = time.process_time(), time.perf_counter()
    made = [await loop.create_connection(lambda: Replay(body, left), "127.0.0.1", port) for _ in range(_CONNECTIONS)]
    await asyncio.gather(*(replay.over for _, replay in made))
    took = time.perf_counter() - started
    return {"rate": count / took, "cpu_us": 1e6 * (time.process_time() - cpu) / count, "octets": len(body)}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(int(sys.argv[1]), int(sys.argv[2])))))
