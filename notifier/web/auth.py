"""Who calls: bearer keys (RFC 6750), looked up by prefix and remembered for a second, and how often they may."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from notifier.domain.errors import TooMany, Unauthenticated
from notifier.domain.key import Key, secret_prefix

REMEMBERED_SECONDS: Final = 1.0
"""How long a revoked key may go on working."""

_MOST_REMEMBERED = 10_000
_MINUTE = 60.0


class Authenticator:
    """Turns an Authorization header into a key. `find` looks keys up by their prefix."""

    def __init__(
        self,
        find: Callable[[str], Awaitable[Key | None]],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._clock = clock
        self._monotonic = monotonic
        self._remembered: dict[str, tuple[Key | None, float]] = {}

    async def __call__(self, authorization: str | None) -> Key:
        """The caller's key. Raises Unauthenticated; the sentence never says which part was wrong."""
        scheme, _, secret = (authorization or "").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("send your API key as: Authorization: Bearer ntf_live_...")
        key = await self._known(secret_prefix(secret))
        if key is None or not key.opens(secret, self._clock()):
            raise Unauthenticated("this API key is not known, or it is revoked or expired")
        return key

    async def _known(self, prefix: str) -> Key | None:
        now = self._monotonic()
        known = self._remembered.get(prefix)
        if known is not None and now < known[1]:
            return known[0]
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        # A key holds ASCII; anything else cannot be one, and some databases would choke on it.
        key = await self._find(prefix) if prefix.isascii() and prefix.isprintable() else None
        self._remembered[prefix] = (key, now + REMEMBERED_SECONDS)
        return key


@dataclass(slots=True)
class _Bucket:
    """Tokens left at an instant (monotonic seconds)."""

    tokens: float
    at: float


class RateLimiter:
    """A token bucket for each key that has a limit: so many requests a minute, all of them at once if need be.
    Counted in this process; behind N of them a key gets N times as much."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: Key) -> Mapping[str, str]:
        """Counts one request. Answers the RateLimit-* headers; raises TooMany, with the headers as its own."""
        if key.rate_limit is None:
            return {}
        now, limit = self._monotonic(), key.rate_limit
        bucket = self._buckets.setdefault(key.id, _Bucket(limit, now))
        bucket.tokens = min(limit, bucket.tokens + (now - bucket.at) * limit / _MINUTE)
        bucket.at = now
        if bucket.tokens < 1:
            wait = (1 - bucket.tokens) * _MINUTE / limit
            raise Limited(f"this key may make {limit} requests a minute", wait, _headers(limit, 0.0))
        bucket.tokens -= 1
        return _headers(limit, bucket.tokens)


class Limited(TooMany):
    """TooMany with the headers that say how many there are."""

    def __init__(self, detail: str, retry_after: float, headers: Mapping[str, str]) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.headers = headers


def _headers(limit: int, left: float) -> Mapping[str, str]:
    reset = (limit - left) * _MINUTE / limit
    return {
        "ratelimit-limit": str(limit),
        "ratelimit-remaining": str(int(left)),
        "ratelimit-reset": str(-int(-reset // 1)),
    }
