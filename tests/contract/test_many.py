"""One change for many: what can be changed is, in one transaction, and the rest is left as it is."""

from typing import TYPE_CHECKING

from notifier.domain.listing import Filter, Page

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


async def test_many_are_canceled_at_once_but_what_is_being_sent_or_not_there(desk: "Desk") -> None:
    claimed_id = await desk.accept("claimed@x.test")
    await desk.claim()
    ids = [await desk.accept(f"u{n}@x.test") for n in range(3)]
    elsewhere = await desk.accept("other@x.test", project="second")
    wanted = [*ids, claimed_id, elsewhere, "01990000-0000-7000-8000-000000000000"]
    assert await desk.store.cancel_each("default", wanted) == 3
    assert [await desk.status(id_) for id_ in ids] == ["canceled"] * 3
    assert await desk.status(claimed_id) == "sending"
    assert await desk.status(elsewhere) == "queued"
    assert await desk.store.cancel_each("default", wanted) == 0
    assert await desk.timeline(ids[0]) == ["email.queued", "email.canceled"]


async def test_many_are_retried_at_once_but_what_has_not_ended(desk: "Desk") -> None:
    held = [await desk.accept(f"u{n}@x.test") for n in range(3)]
    assert await desk.store.hold("restored") == 3
    waiting = await desk.accept("waiting@x.test")
    assert await desk.store.retry_each("default", [waiting, *held]) == 3
    assert {one.notification.id for one in await desk.claim()} == {waiting, *held}


async def test_the_ids_of_a_search_come_newest_first_and_go_on_after_the_last(desk: "Desk") -> None:
    ids = [await desk.accept(tags=["spring"]) for _ in range(5)]
    await desk.accept(tags=["autumn"])
    wanted = Filter(tag="spring", status="queued")
    first = await desk.store.matching("default", wanted, Page(2))
    assert list(first) == [ids[4], ids[3]]
    rest = await desk.store.matching("default", wanted, Page(10, after=first[-1]))
    assert list(rest) == [ids[2], ids[1], ids[0]]
