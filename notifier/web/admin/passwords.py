"""Passwords (argon2id, RFC 9106), and how often one may be tried."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST: Final = 10
"""Characters of a password that somebody chooses (NIST SP 800-63B asks for 8, without rules of composition)."""
LONGEST: Final = 1024

_HASHER = PasswordHasher()  # argon2id with the second recommended parameters of RFC 9106 4: 64 MiB, 3 passes
_TURNS = asyncio.Semaphore(2)  # each takes a core and 64 MiB for some 50 ms


async def hash_password(password: str) -> str:
    async with _TURNS:
        return await asyncio.to_thread(_HASHER.hash, password)


async def is_password(hashed: str | None, password: str) -> bool:
    """Whether the password is the one that was hashed. Takes as long where there is none."""
    async with _TURNS:
        return await asyncio.to_thread(_verify, hashed, password)


def _verify(hashed: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(hashed or _nobody(), password[:LONGEST]) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    """The hash of no password: who is unknown costs as much time."""
    return _HASHER.hash(secrets.token_hex(16))


@dataclass(slots=True)
class _Tries:
    left: float
    at: float


class Throttle:
    """Failed tries at a name or from an address: ten at once, and then one in thirty seconds. Counted in this process.

    Who knows the right password is held up too, while somebody guesses at the same name: for half a minute at most.
    """

    MOST: Final = 10.0
    SECONDS: Final = 30.0
    _KNOWN = 10_000

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tries: dict[str, _Tries] = {}

    def wait(self, *who: str) -> float:
        """Seconds until one of these may try again; 0 if now."""
        return max((self.SECONDS * (1 - tries.left) for tries in map(self._of, who) if tries.left < 1), default=0.0)

    def failed(self, *who: str) -> None:
        if len(self._tries) > self._KNOWN:
            self._tries = {name: tries for name, tries in self._tries.items() if self._of(name).left < self.MOST}
        for name in who:
            self._of(name).left -= 1

    def succeeded(self, *who: str) -> None:
        """Gives a try back, which `failed` took."""
        for name in who:
            self._of(name).left += 1

    def _of(self, name: str) -> _Tries:
        now = self._monotonic()
        tries = self._tries.setdefault(name, _Tries(self.MOST, now))
        tries.left = min(self.MOST, tries.left + (now - tries.at) / self.SECONDS)
        tries.at = now
        return tries
