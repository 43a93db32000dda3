"""One call with its retries, without any input or output: a generator that yields what is to be done and is sent what
came of it. The two clients differ only in who carries the steps out."""

import json
import random
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

import httpx2 as httpx

from notifier.client.errors import Unreachable, error_of

T = TypeVar("T")

ATTEMPTS: Final = 5
SILENT_ATTEMPTS: Final = 2
"""Where nothing was heard until the time-out: each costs all of it."""
FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 10.0
LONGEST_RETRY_AFTER: Final = 60.0
"""Seconds; a service that asks for more gets an error instead of a caller that hangs."""

_WORTH_ANOTHER = frozenset({429, 502, 503, 504})
_dice = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent. `safe` says that sending it twice does no more than sending it once; `timeout` is for the
    answer, in seconds, None for the client's own."""

    method: str
    path: str
    body: bytes | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    safe: bool = True
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Sleep:
    """So many seconds."""

    seconds: float


Steps = Generator[Request | Sleep, Any, T]
"""A Request is answered with an httpx.Response (or the httpx.TransportError is thrown in), a Sleep with nothing."""


def exchange(request: Request) -> Steps[httpx.Response]:
    """Sends until there is an answer that no retry would mend. Raises `Unreachable`, `Refused` or `Unavailable`."""
    attempt = 0
    while True:
        attempt += 1
        try:
            response: httpx.Response = yield request
        except httpx.TransportError as error:
            # A connection that was never made carried nothing, whatever the request.
            harmless = request.safe or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            most = SILENT_ATTEMPTS if isinstance(error, httpx.TimeoutException) else ATTEMPTS
            if attempt >= most or not harmless:
                raise Unreachable(f"{request.method} {_where(request, error)}: {_reason(error)}") from error
            yield Sleep(_delay(attempt))
            continue
        if response.is_success:
            return response
        asked = _retry_after(response)
        if response.status_code not in _WORTH_ANOTHER or attempt >= ATTEMPTS or asked > LONGEST_RETRY_AFTER:
            raise error_of(response.status_code, _problem(response))
        if response.status_code != 429 and not (request.safe or response.status_code == 503):
            raise error_of(response.status_code, _problem(response))
        yield Sleep(max(asked, _delay(attempt)))


def _where(request: Request, error: httpx.TransportError) -> str:
    """The whole address where it is known, for the usual mistake is in its first half."""
    try:
        return str(error.request.url.copy_with(query=None))
    except RuntimeError:  # thrown by what is no HTTP client
        return request.path


def _reason(error: httpx.TransportError) -> str:
    kind = "no answer in time" if isinstance(error, httpx.TimeoutException) else "the service cannot be reached"
    return f"{kind} ({error})" if str(error) else kind


def _delay(attempt: int) -> float:
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (attempt - 1)) * _dice.uniform(0.5, 1.0)


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:  # a date (RFC 9110 10.2.3), which our service never sends
        return 0.0


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def encode(body: Any) -> bytes:
    """JSON, with times, dates, UUIDs and decimals as strings. ValueError for a time without an offset and for NaN."""
    return json.dumps(body, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return instant(value)
        case date() | UUID() | Decimal():
            return str(value)
        case Mapping():
            return dict(value)
        case set() | frozenset() | tuple():
            return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone: give one, datetime.now(UTC) for one")
    return value.isoformat()


def deadline(seconds: float) -> Callable[[], float]:
    """A function that says how many seconds are left."""
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
