"""API keys and projects."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from notifier.domain.errors import ConfigurationError
from notifier.domain.key import SCOPES, Key, new_secret, secret_hash, secret_prefix
from notifier.domain.notification import uuid7

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


def key(name: str = "k", secret: str | None = None, **more: Any) -> Key:
    secret = secret or new_secret("live")
    known: dict[str, Any] = {"project": "default", "mode": "live", "scopes": frozenset({"send"}), **more}
    return Key(
        id=uuid7(),
        name=name,
        prefix=secret_prefix(secret),
        hash=secret_hash(secret),
        created_at=datetime.now(UTC),
        **known,
    )


async def test_a_key_is_found_by_its_prefix_as_it_was_added(desk: "Desk") -> None:
    one = key(rate_limit=60, from_domains=("x.test",), expires_at=datetime(2100, 1, 1, tzinfo=UTC))
    await desk.store.add_key(one)
    assert await desk.store.find_key(one.prefix) == one
    assert await desk.store.find_key("ntf_live_unknown") is None


async def test_a_key_is_added_once(desk: "Desk") -> None:
    one = key(secret="ntf_live_the-same-secret")
    await desk.store.add_key(one)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await desk.store.add_key(key(secret="ntf_live_the-same-secret"))
    assert await desk.store.find_key(one.prefix) == one


async def test_keys_are_listed_by_project_oldest_first(desk: "Desk") -> None:
    first, second, other = key("1"), key("2"), key("3", project="second")
    for one in (first, second, other):
        await desk.store.add_key(one)
    assert await desk.store.keys("default") == [first, second]
    assert await desk.store.keys() == [first, second, other]


async def test_a_revoked_key_opens_nothing_and_is_revoked_once(desk: "Desk") -> None:
    secret = new_secret("live")
    one = key(secret=secret)
    await desk.store.add_key(one)
    assert not await desk.store.revoke_key(one.id, "second")
    assert await desk.store.revoke_key(one.id, "default")
    assert not await desk.store.revoke_key(one.id)
    found = await desk.store.find_key(one.prefix)
    assert found is not None
    assert not found.opens(secret, datetime.now(UTC))


async def test_there_is_one_bootstrap_key_and_it_is_the_one_of_the_settings(desk: "Desk") -> None:
    first, second = key("bootstrap", scopes=frozenset(SCOPES)), key("bootstrap")
    await desk.store.set_bootstrap_key(first)
    await desk.store.set_bootstrap_key(first)
    await desk.store.set_bootstrap_key(second)
    assert await _standing(desk) == {second.hash}
    await desk.store.set_bootstrap_key(first)
    assert await _standing(desk) == {first.hash}
    await desk.store.set_bootstrap_key(None)
    assert await _standing(desk) == set()
    assert len(await desk.store.keys()) == 2


@pytest.mark.parametrize("beginning", ["ntf_live_staging-", "ours, in the first place: "])
async def test_a_chosen_key_may_begin_like_the_one_before(desk: "Desk", beginning: str) -> None:
    for ending in ("first", "second"):
        await desk.store.set_bootstrap_key(key("bootstrap", beginning + ending))
        assert await _standing(desk) == {secret_hash(beginning + ending)}
        assert await desk.store.find_key(secret_prefix(beginning + ending)) is not None


async def test_one_that_cannot_be_told_from_a_made_one_is_refused_in_a_sentence(desk: "Desk") -> None:
    made = new_secret("live")
    await desk.store.add_key(key(secret=made))
    with pytest.raises(ConfigurationError, match="NOTIFIER_API_KEY begins like another key"):
        await desk.store.set_bootstrap_key(key("bootstrap", made[:-1] + ("A" if made[-1] != "A" else "B")))


async def test_processes_that_start_together_agree_on_the_bootstrap_key(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    secret = new_secret("live")
    stores = [desk.store, desk.another(), desk.another(), desk.another()]
    await asyncio.gather(*(store.is_ready() for store in stores))  # all are connected
    await asyncio.gather(*(store.set_bootstrap_key(key("bootstrap", secret)) for store in stores))
    assert await _standing(desk) == {secret_hash(secret)}
    assert len(await desk.store.keys()) == 1


async def test_a_projects_secret_is_made_once_and_its_own(desk: "Desk") -> None:
    secrets = await asyncio.gather(*(desk.store.project_secret("default") for _ in range(5)))
    assert len(set(secrets)) == 1
    assert len(secrets[0]) == 32
    assert await desk.store.project_secret("second") != secrets[0]


async def _standing(desk: "Desk") -> set[str]:
    return {one.hash for one in await desk.store.keys() if one.revoked_at is None}
