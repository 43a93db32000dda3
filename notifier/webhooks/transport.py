"""HTTP that connects to nothing but the address that was checked: the name is looked up here, once, and what goes to
the socket is the answer, so that a second look-up by somebody else cannot lead elsewhere."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

import httpx2 as httpx

from notifier.domain.errors import NotifierError
from notifier.webhooks.networks import Networks

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


class Forbidden(NotifierError):
    """The request was not made: its URL leads to where none of ours may go."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a host, by the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class GuardedTransport(httpx.AsyncBaseTransport):
    """Checks every address of a host before it connects to one of them: one that is forbidden rules out the host.
    TLS is for the host's name all the same. Connections are not kept: the next request looks again."""

    def __init__(self, networks: Networks, *, tls: ssl.SSLContext, resolver: Resolver = resolve) -> None:
        self._networks = networks
        self._resolver = resolver
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii").strip("[]")
        port = request.url.port or {"https": 443, "http": 80}[request.url.scheme]
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"{host} cannot be looked up: {error}") from error
        if not addresses:
            raise httpx.ConnectError(f"{host} has no address")
        for address in addresses:
            if not self._networks.may_reach(address):
                raise Forbidden(f"{host} is at {address}, which is not an address of the public internet")
        request.headers["Host"] = request.url.netloc.decode("ascii")
        if not _is_address(host):
            request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=addresses[0])
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Http:
    """Requests to servers of others: no redirects, no proxies of the environment, no cookies, and no more of an answer
    than is asked for."""

    def __init__(self, networks: Networks, *, timeout: float = 15.0, resolver: Resolver = resolve) -> None:
        self._tls = ssl.create_default_context()
        self._timeout = timeout
        transport = GuardedTransport(networks, tls=self._tls, resolver=resolver)
        self._client = httpx.AsyncClient(
            transport=transport, follow_redirects=False, trust_env=False, timeout=httpx.Timeout(timeout)
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def exchange(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, content: bytes = b"", most: int = 1024
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, and the first `most` octets of the answer's body. All of it together takes
        `timeout` seconds at most. Raises OSError, TimeoutError, Forbidden."""
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(method, url, headers=headers, content=content) as answer,
            ):
                self._client.cookies.clear()
                body = b""
                async for piece in answer.aiter_raw(1024):
                    body += piece
                    if len(body) >= most:
                        break
                return answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body[:most]
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise OSError(f"{type(error).__name__}: {error}"[:500]) from error

    async def fetch(self, url: str) -> bytes:
        """A small file. Raises OSError where it does not come with 200."""
        status, _, body = await self.exchange("GET", url, most=64 * 1024)
        if status != 200:
            raise OSError(f"{url} answered {status}")
        return body
