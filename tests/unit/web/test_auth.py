"""Keys as callers show them, and how often they may call. Clocks are driven by hand."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from notifier.domain.errors import TooMany, Unauthenticated
from notifier.domain.key import SCOPES, Key, new_secret, secret_hash, secret_prefix
from notifier.domain.notification import uuid7
from notifier.web.auth import REMEMBERED_SECONDS, Authenticator, RateLimiter

SECRET = new_secret("live")
KEY = Key(uuid7(), "default", "k", secret_prefix(SECRET), secret_hash(SECRET), "live", frozenset(SCOPES),
          datetime.now(UTC))  # fmt: skip


class Keys:
    """A store of one key and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self.key: Key | None = KEY
        self.authenticator = Authenticator(self.find, monotonic=lambda: self.now)

    async def find(self, prefix: str) -> Key | None:
        self.asked.append(prefix)
        return self.key if self.key and prefix == self.key.prefix else None


async def test_a_key_is_remembered_for_a_second_and_no_longer() -> None:
    keys = Keys()
    for _ in range(3):
        assert await keys.authenticator(f"Bearer {SECRET}") is KEY
    assert len(keys.asked) == 1
    keys.key = replace(KEY, revoked_at=datetime.now(UTC))
    keys.now = REMEMBERED_SECONDS
    with pytest.raises(Unauthenticated):
        await keys.authenticator(f"bearer {SECRET}")


async def test_the_right_prefix_does_not_open() -> None:
    keys = Keys()
    with pytest.raises(Unauthenticated):
        await keys.authenticator(f"Bearer {SECRET[:-1]}")
    with pytest.raises(Unauthenticated):
        await keys.authenticator(f"Bearer {SECRET}x")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer  ", "Token x", "ntf_live_alone", "Bearer \xe9", "Bearer \0"]
)
async def test_anything_else_is_no_key(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        await Keys().authenticator(header)


async def test_guessing_costs_no_memory() -> None:
    keys = Keys()
    for n in range(10_500):
        with pytest.raises(Unauthenticated):
            await keys.authenticator(f"Bearer ntf_live_{n:08d}")
    assert len(keys.authenticator._remembered) <= 10_000


def test_a_bucket_is_filled_at_its_rate() -> None:
    now = 0.0
    limiter = RateLimiter(monotonic=lambda: now)
    key = replace(KEY, rate_limit=60)
    for left in range(59, -1, -1):
        assert limiter.take(key)["ratelimit-remaining"] == str(left)
    with pytest.raises(TooMany) as refusal:
        limiter.take(key)
    assert 0 < refusal.value.retry_after <= 1
    now = 1.0
    limiter.take(key)
    with pytest.raises(TooMany):
        limiter.take(key)
    now = 3600.0
    assert limiter.take(key)["ratelimit-remaining"] == "59"
    assert limiter.take(replace(KEY, id=uuid7())) == {}
