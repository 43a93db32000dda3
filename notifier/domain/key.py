"""API keys: who calls, for which project, in which mode, and what they may do."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from notifier.domain.notification import Mode

Scope = Literal["send", "send:content", "read", "templates", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("send", "send:content", "read", "templates", "admin")
MODES: Final[tuple[Mode, ...]] = ("live", "team", "test")

PREFIX_LENGTH: Final = 16
TRIAL: Final = "test:"
"""How the `key` of a notification begins that somebody sent to try a template: no caller's, and no use of it."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is stored: never the key itself, only the SHA-256 of it and the prefix it is found by."""

    id: str
    project: str
    name: str
    prefix: str
    hash: str
    mode: Mode
    scopes: frozenset[Scope]
    created_at: datetime
    rate_limit: int | None = None
    from_domains: Sequence[str] = ()
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def opens(self, secret: str, now: datetime) -> bool:
        """Whether `secret` is this key, and the key is good at `now`. Takes the same time for any wrong secret."""
        same = hmac.compare_digest(self.hash, secret_hash(secret))
        return same and self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def new_secret(mode: Mode) -> str:
    """A fresh key: ``ntf_live_`` and 32 random characters (192 bits)."""
    return f"ntf_{mode}_{secrets.token_urlsafe(24)}"


def secret_hash(secret: str) -> str:
    """SHA-256, hex. A key carries 192 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def secret_prefix(secret: str) -> str:
    """What a key is looked up by. Of ours it gives away the mode and 42 of the 192 bits; of a key that somebody chose
    (`NOTIFIER_API_KEY`), a part of its hash."""
    ours = any(secret.startswith(f"ntf_{mode}_") for mode in MODES)
    return secret[:PREFIX_LENGTH] if ours else secret_hash(secret)[:PREFIX_LENGTH]
