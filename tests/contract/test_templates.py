"""Templates: numbered versions that never change, of which one is published."""

import asyncio
from typing import TYPE_CHECKING, Any

from notifier.domain.template import NewVersion

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


def version(content: str, name: str = "welcome", **more: Any) -> NewVersion:
    known: dict[str, Any] = {"origin": "api", "description": "Hello", **more}
    return NewVersion(name, f"hash-of-{content}", f'{{"subject": "{content}"}}', **known)


async def test_versions_are_numbered_and_found_by_number_or_hash(desk: "Desk") -> None:
    first = await desk.store.add_version(version("one", author="zoe", note="first"), publish=True)
    second = await desk.store.add_version(version("two"), publish=False)
    assert (first.number, second.number) == (1, 2)
    for wanted in (1, "hash-of-one"):
        closure = await desk.store.find_version("welcome", wanted)
        assert closure is not None
        assert (closure.version.number, closure.bundle) == (1, '{"subject": "one"}')
        assert (closure.version.author, closure.version.note) == ("zoe", "first")
    assert await desk.store.find_version("welcome", 3) is None
    assert await desk.store.find_version("other", 1) is None
    assert [one.number for one in await desk.store.versions("welcome")] == [2, 1]


async def test_what_is_published_changes_by_publishing_alone(desk: "Desk") -> None:
    await desk.store.add_version(version("one"), publish=True)
    await desk.store.add_version(version("two"), publish=False)
    assert {name: one.number for name, one in (await desk.store.published()).items()} == {"welcome": 1}
    assert await desk.store.publish("welcome", 2)
    assert {name: one.number for name, one in (await desk.store.published()).items()} == {"welcome": 2}
    assert not await desk.store.publish("welcome", 3)
    assert not await desk.store.publish("other", 1)
    assert (await desk.store.published())["welcome"].hash == "hash-of-two"


async def test_a_draft_is_not_published(desk: "Desk") -> None:
    draft = await desk.store.add_version(version("one"), publish=False)
    assert draft.published_at is None
    assert await desk.store.published() == {}


async def test_content_seen_before_is_the_version_it_was(desk: "Desk") -> None:
    first = await desk.store.add_version(version("one"), publish=True)
    await desk.store.add_version(version("two"), publish=True)
    again = await desk.store.add_version(version("one"), publish=False)
    assert (again.number, again.created_at) == (first.number, first.created_at)
    assert len(await desk.store.versions("welcome")) == 2
    assert (await desk.store.published())["welcome"].number == 2


async def test_assets_are_stored_once_by_hash(desk: "Desk") -> None:
    logo = {"a" * 64: b"PNG"}
    await desk.store.add_version(version("one", assets=logo), publish=True)
    await desk.store.add_version(version("two", assets=logo), publish=True)
    assert await desk.store.assets(["a" * 64, "b" * 64]) == logo
    assert await desk.store.assets([]) == {}
    assert await desk.count("asset") == 1


async def test_those_who_save_at_once_get_numbers_of_their_own(desk: "Desk") -> None:
    saved = await asyncio.gather(*(desk.store.add_version(version(str(n)), publish=True) for n in range(8)))
    assert sorted(one.number for one in saved) == list(range(1, 9))


async def test_processes_that_save_the_same_content_share_a_version(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    stores = [desk.store, desk.another(), desk.another()]
    await asyncio.gather(*(store.is_ready() for store in stores))  # all are connected
    saved = await asyncio.gather(*(store.add_version(version("one"), publish=True) for store in stores))
    assert {one.number for one in saved} == {1}
