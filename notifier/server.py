"""Listening: uvicorn under our own signals, so that SIGTERM drains and the process ends with 0."""

import asyncio
import contextlib
import gc
import json
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from notifier.domain.errors import ConfigurationError
from notifier.web.problems import MEDIA_TYPE, problem_body, title_of

_HANDLERS = (signal.SIGTERM, signal.SIGINT)
_LAST_REQUESTS = 5
"""Seconds that requests under way get to be answered."""
_LONGEST_HEAD = 64 * 1024
"""Octets; a piece that the system hands over at once (256 KB) is taken whole."""


def bind(host: str, port: int, *, or_any: bool = False, option: str = "--port") -> socket.socket:
    """A listening socket. With `or_any` a busy port gives way to a free one. Raises ConfigurationError, which names the
    option that takes another."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; it costs an answer 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            listening.bind((host, port))
        except OSError:
            if not or_any:
                raise
            listening.bind((host, 0))
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}; {option} takes another") from None
    listening.set_inheritable(True)
    return listening


def url_of(listening: socket.socket) -> str:
    """Where a browser finds what listens there."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class LimitedHttp(HttpToolsProtocol):
    """httptools takes a request's head of any length, and keeps it: so there is a limit for what comes and is neither
    a part of a body nor the end of a head. What is no HTTP is answered with a problem, as everything else."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unused = 0

    def data_received(self, data: bytes) -> None:
        self._unused += len(data)
        super().data_received(data)
        if self._unused > _LONGEST_HEAD and not self.transport.is_closing():
            self._refuse(431, f"a request has at most {_LONGEST_HEAD} octets before its body")

    def on_headers_complete(self) -> None:
        self._unused = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _refuse(self, status: int, detail: str) -> None:
        body = json.dumps(problem_body(status, detail)).encode()
        head = (
            f"HTTP/1.1 {status} {title_of(status)}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn raises the signals it caught again once it is done, which would end us before we have drained."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # Modules, compiled templates and statements stay for good: the collector need not walk through them again
            # and again, which is 8 % of the CPU of a delivery. What a request or an attempt makes is mostly gone by
            # itself when the collector comes more rarely: another 5 %.
            gc.collect()
            gc.freeze()
            gc.set_threshold(10_000, 20, 20)
            self._on_started()


async def listen(
    application: Any, listening: socket.socket, *, started: Callable[[], None], stopping: Callable[[], None]
) -> None:
    """Serves until SIGTERM or SIGINT. `stopping` is called at the signal, before the last requests are answered; a
    second signal ends the wait for them."""
    config = uvicorn.Config(
        application,
        http=LimitedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_REQUESTS,
    )
    server = _Server(config, started)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True
        stopping()

    for number in _HANDLERS:
        loop.add_signal_handler(number, stop)
    try:
        await server.serve(sockets=[listening])
    finally:
        for number in _HANDLERS:
            loop.remove_signal_handler(number)
