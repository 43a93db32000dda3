"""The load generator: `python -m benchmarks.load PORT PATH COUNT`. Requests are made beforehand, answers are looked at
just enough to count them, so that it costs a fraction of what it asks for. Prints one line of JSON."""

import argparse
import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import cast

import uvloop

from benchmarks.message import body

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def requests(path: str, key: str, count: int, batch: int, first: int) -> list[bytes]:
    """Whole HTTP/1.1 requests; with `batch`, so many notifications in each."""
    made = []
    for n in range(first, first + count, max(1, batch)):
        if batch:
            many = [body(m) for m in range(n, min(n + batch, first + count))]
            content = json.dumps({"notifications": many}).encode()
        else:
            content = json.dumps(body(n)).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        made.append(head.encode() + content)
    return made


class Caller(asyncio.Protocol):
    """A connection that posts, waits for the answer, and posts again, until nothing is left."""

    def __init__(self, left: Iterator[bytes], seconds: list[float], statuses: Counter[int]) -> None:
        self._left = left
        self._seconds = seconds
        self._statuses = statuses
        self._answer = b""
        self._asked = 0.0
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._post()

    def _post(self) -> None:
        request = next(self._left, None)
        if request is None:
            self._transport.close()
            self.over.set_result(None)
            return
        self._asked = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, rest = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if found else None
        if length is None or len(rest) < int(length[1]):
            return
        self._seconds.append(time.perf_counter() - self._asked)
        self._statuses[int(head[9:12])] += 1
        self._answer = b""
        self._post()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(exc or ConnectionError("the server closed the connection"))


async def run(port: int, made: list[bytes], connections: int) -> dict[str, object]:
    seconds: list[float] = []
    statuses: Counter[int] = Counter()
    left = iter(made)
    loop = asyncio.get_running_loop()
    cpu, started = time.process_time(), time.perf_counter()
    callers = []
    for _ in range(min(connections, len(made))):
        _, caller = await loop.create_connection(lambda: Caller(left, seconds, statuses), "127.0.0.1", port)
        callers.append(caller)
    await asyncio.gather(*(caller.over for caller in callers))
    took = time.perf_counter() - started
    seconds.sort()
    return {
        "requests": len(seconds),
        "seconds": took,
        "p50_ms": 1000 * seconds[len(seconds) // 2],
        "p99_ms": 1000 * seconds[int(len(seconds) * 0.99)],
        "statuses": dict(statuses),
        "own_cpu_us": 1e6 * (time.process_time() - cpu) / len(seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("count", type=int)
    parser.add_argument("--key", default="")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--connections", type=int, default=64)
    asked = parser.parse_args()
    made = requests(asked.path, asked.key, asked.count, asked.batch, asked.first)
    print(json.dumps(uvloop.run(run(asked.port, made, asked.connections))))


if __name__ == "__main__":
    main()
