"""API keys: who calls, for which project, in which mode, and what they may do."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from notifier.domain.notification import Mode, uuid7

Scope = Literal["send", "send:content", "read", "templates", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("send", "send:content", "read", "templates", "admin")
MODES: Final[tuple[Mode, ...]] = ("live", "team", "test")

PREFIX_LENGTH: Final = 16
_OURS: Final = re.compile(rf"ntf_(?:{'|'.join(MODES)})_[\w-]{{32}}", re.ASCII)
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


def new_key(
    name: str,
    *,
    mode: Mode = "live",
    project: str = "default",
    scopes: Iterable[Scope] = SCOPES,
    rate_limit: int | None = None,
    from_domains: Sequence[str] = (),
    expires_at: datetime | None = None,
    secret: str | None = None,
) -> tuple[Key, str]:
    """A key and the secret that opens it, which is shown once and not kept. `rate_limit` is in requests a minute;
    without a `secret` a fresh one is made."""
    secret = secret or new_secret(mode)
    key = Key(
        id=uuid7(),
        project=project,
        name=name,
        prefix=secret_prefix(secret),
        hash=secret_hash(secret),
        mode=mode,
        scopes=frozenset(scopes),
        created_at=datetime.now(UTC),
        rate_limit=rate_limit,
        from_domains=tuple(from_domains),
        expires_at=expires_at,
    )
    return key, secret


def new_secret(mode: Mode) -> str:
    """A fresh key: ``ntf_live_`` and 32 random characters (192 bits)."""
    return f"ntf_{mode}_{secrets.token_urlsafe(24)}"


def secret_hash(secret: str) -> str:
    """SHA-256, hex. A key carries 192 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def secret_prefix(secret: str) -> str:
    """What a key is looked up by. Of ours it gives away the mode and 42 of the 192 bits; of a key that somebody chose
    (`NOTIFIER_API_KEY`), whose beginning may be that of others, a part of its hash."""
    return secret[:PREFIX_LENGTH] if _OURS.fullmatch(secret) else secret_hash(secret)[:PREFIX_LENGTH]
