"""HTTP that connects to nothing but the addresses that were checked: a name is looked up here, once for a connection,
and what goes to the socket is the answer, so that a second look-up by somebody else cannot lead elsewhere."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpcore2
import httpx2 as httpx

from notifier.domain.errors import NotifierError
from notifier.webhooks.networks import Networks

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
Answered = tuple[int, dict[str, str], bytes]
"""Status, headers in lower case, and the beginning of the body."""

KEPT: Final = 20.0
"""Seconds for which a connection is kept that has nothing to do."""
_LOOKUPS: Final = 64  # threads: so many names whose servers do not answer hold up nobody else
_READ: Final = 16 * 1024  # octets: an answer of no more is read whole, so that its connection can be used again
_HUNG_UP: Final = "Server disconnected"  # of httpcore's RemoteProtocolError, the one that says that nothing came
_TROUBLE: Final = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol)


class Forbidden(NotifierError):
    """The request was not made: its URL leads to where none of ours may go."""


class SystemResolver:
    """The system's resolver, in threads of its own: those of the event loop are few, and everybody's. A name that is
    being looked up is not looked up a second time beside it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="lookup")
        self._under_way: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Every address of a host. Raises OSError."""
        asked = self._under_way.get((host, port))
        if asked is None:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host, port)
            self._under_way[host, port] = asked
            asked.add_done_callback(lambda done: self._done(host, port, done))
        return await asyncio.shield(asked)  # whoever has waited long enough leaves the others their answer

    def _done(self, host: str, port: int, asked: "asyncio.Future[Sequence[str]]") -> None:
        del self._under_way[host, port]
        if not asked.cancelled():
            asked.exception()  # which is told to those who still wait, if anybody does

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Guard(httpcore2.AsyncNetworkBackend):
    """Checks every address of a host before it connects to one of them: one that is forbidden rules out the host.
    TLS is for the host's name all the same."""

    def __init__(self, networks: Networks, resolver: Resolver) -> None:
        self._networks = networks
        self._resolver = resolver
        self._plain = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the name that httpcore calls it by
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failed = []
        for address in await self._checked(host, port):
            try:
                return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError as error:
                failed.append(f"{address}: {_cause(error)}")
        raise httpcore2.ConnectError("; ".join(failed))

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} cannot be looked up: {error}") from error
        if not addresses:
            raise httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            if not self._networks.may_reach(address):
                raise Forbidden(f"{host} is at {address}, which is not an address of the public internet")
        return addresses


@dataclass(slots=True)
class _Pool:
    """The connections to one server, and how many use them now."""

    connections: httpcore2.AsyncConnectionPool
    users: int = 0
    closing: asyncio.TimerHandle | None = None


@cache
def _trusted() -> ssl.SSLContext:
    """Reading all trusted certificates takes 40 ms, so a process does it once."""
    return ssl.create_default_context()


class Http:
    """Requests to servers of others: no redirects, no proxies, no cookies, and no more of an answer than is asked for.

    Connections are kept for the next request to the same server, by its name: what is sent to one name never goes over
    a connection that was made for another. `tls` says whose certificates are trusted, if not the system's.
    """

    def __init__(
        self,
        networks: Networks,
        *,
        timeout: float = 15.0,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls or _trusted()
        self._timeout = timeout
        self._system = None if resolver else SystemResolver()
        self._guard = _Guard(networks, resolver or self._system or SystemResolver())
        self._pools: dict[tuple[bytes, bytes, int | None], _Pool] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        for pool in self._pools.values():
            if pool.closing is not None:
                pool.closing.cancel()
            await pool.connections.aclose()
        await asyncio.gather(*self._closing)
        if self._system is not None:
            self._system.close()

    async def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b"", most: int = 1024
    ) -> Answered:
        """One request and at most `most` octets of the answer's body. All of it together takes `timeout` seconds at
        most. Raises OSError, TimeoutError, Forbidden."""
        try:
            parsed = httpx.URL(url)
            async with asyncio.timeout(self._timeout):
                return await self._exchange(method, parsed, headers or {}, content, most)
        except (
            httpx.InvalidURL,
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.UnsupportedProtocol,
        ) as error:
            raise OSError(f"{type(error).__name__}: {error}"[:500]) from error

    async def _exchange(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes, most: int
    ) -> Answered:
        origin = (url.raw_scheme, url.raw_host, url.port)
        pool = self._enter(origin)
        try:
            while True:
                connecting = _Connecting()
                try:
                    return await _once(pool.connections, connecting, method, url, headers, content, most)
                except (httpcore2.RemoteProtocolError, httpcore2.ReadError) as error:
                    # A connection that was kept may be closed by its server at the moment it is used again (RFC 9112
                    # 9.3.1): then once more. Over a connection of its own, it is the answer.
                    if connecting.seen or not (isinstance(error, httpcore2.ReadError) or _HUNG_UP in str(error)):
                        raise
        finally:
            self._leave(origin, pool)

    def _enter(self, origin: tuple[bytes, bytes, int | None]) -> _Pool:
        pool = self._pools.get(origin)
        if pool is None:
            connections = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls, max_connections=None, keepalive_expiry=KEPT, network_backend=self._guard
            )
            pool = self._pools[origin] = _Pool(connections)
        if pool.closing is not None:
            pool.closing.cancel()
        pool.users += 1
        return pool

    def _leave(self, origin: tuple[bytes, bytes, int | None], pool: _Pool) -> None:
        pool.users -= 1
        if not pool.users:
            pool.closing = asyncio.get_running_loop().call_later(KEPT, self._drop, origin)

    def _drop(self, origin: tuple[bytes, bytes, int | None]) -> None:
        """A pool closes what it has no use for only when it is used; one that is not used is closed here."""
        task = asyncio.get_running_loop().create_task(self._pools.pop(origin).connections.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def fetch(self, url: str) -> bytes:
        """A small file. Raises OSError where it does not come with 200."""
        status, _, body = await self.exchange("GET", url, most=64 * 1024)
        if status != 200:
            raise OSError(f"{url} answered {status}")
        return body


def _cause(error: BaseException) -> BaseException:
    """What was first to go wrong: `Connection refused` says more than that all attempts failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


class _Connecting:
    """Hears of what httpcore does for a request: did it make a connection?"""

    seen = False

    async def __call__(self, step: str, _told: object) -> None:
        self.seen = self.seen or step == "connection.connect_tcp.started"


async def _once(
    pool: httpcore2.AsyncConnectionPool,
    trace: _Connecting,
    method: str,
    url: httpx.URL,
    headers: Mapping[str, str],
    content: bytes,
    most: int,
) -> Answered:
    target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    sent = [(b"host", url.netloc), *((name.encode(), value.encode()) for name, value in headers.items())]
    if content:
        sent.append((b"content-length", str(len(content)).encode()))
    async with pool.stream(method, target, headers=sent, content=content, extensions={"trace": trace}) as answer:
        heard = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        length = heard.get("content-length", "")
        enough = _READ if length.isdecimal() and most < int(length) <= _READ else most
        body = b""
        async for piece in answer.aiter_stream():
            body += piece
            if len(body) >= enough:
                break
        return answer.status, heard, body[:most]
