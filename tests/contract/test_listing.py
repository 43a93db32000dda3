"""Lists, words and the feed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from notifier.domain.delivery import Moved
from notifier.domain.lifecycle import Status
from notifier.domain.listing import Cursor, Filter, Page

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


async def ids(desk: "Desk", page: Page | None = None, **wanted: Any) -> list[str]:
    found = await desk.store.listed("default", Filter(**wanted), page or Page())
    return [record.notification.id for record in found.records]


async def test_a_page_is_where_its_cursor_says(desk: "Desk") -> None:
    all_ = [await desk.accept() for _ in range(7)][::-1]
    await desk.accept(project="second")
    assert await ids(desk) == all_
    assert await ids(desk, Page(limit=3)) == all_[:3]
    assert await ids(desk, Page(limit=3, after=all_[2])) == all_[3:6]
    assert await ids(desk, Page(limit=3, before=all_[5])) == all_[2:5]
    assert await ids(desk, Page(after=all_[1], before=all_[4])) == all_[2:4]
    assert (await desk.store.listed("default", Filter(), Page(limit=7))).has_more is False
    assert (await desk.store.listed("default", Filter(), Page(limit=6))).has_more is True


async def test_every_status_finds_its_own(desk: "Desk") -> None:
    failed = await desk.accept()
    (claimed,) = await desk.claim()
    await desk.store.finish(desk.sent(claimed, moved=[Moved(0, Status.FAILED, "550")], final="failed"))
    deferred = await desk.accept()
    (claimed,) = await desk.claim()
    await desk.store.finish(desk.deferred(claimed, 3600))
    sending = await desk.accept()
    await desk.claim()
    queued = await desk.accept()
    scheduled = await desk.accept(send_at=datetime.now(UTC) + timedelta(days=1))
    expected = {
        "failed": failed,
        "deferred": deferred,
        "sending": sending,
        "queued": queued,
        "scheduled": scheduled,
    }
    for status, id_ in expected.items():
        assert await ids(desk, status=status) == [id_]
        assert await desk.status(id_) == status
    assert await desk.store.statuses(list(expected.values())) == {id_: status for status, id_ in expected.items()}
    assert await ids(desk, status="sent") == []


async def test_filters_combine(desk: "Desk") -> None:
    one = await desk.accept("ann@x.test", "bo@x.test", tags=("a", "b"), reference="r")
    two = await desk.accept("ann@x.test", template="orders", tags=("b",))
    assert await ids(desk, recipient="ann@x.test") == [two, one]
    assert await ids(desk, recipient="ann@x.test", tag="a") == [one]
    assert await ids(desk, tag="b", template="orders") == [two]
    assert await ids(desk, tag="b", status="queued", reference="r", recipient="bo@x.test") == [one]
    between = (await desk.store.records([two]))[two].notification.created_at
    assert await ids(desk, created_before=between) == [one]
    assert await ids(desk, created_after=between - timedelta(microseconds=1)) == [two]


async def test_a_batch_is_found_by_its_project(desk: "Desk") -> None:
    asked = desk.batch([None, None])
    receipt = await desk.store.accept(asked)
    found = await desk.store.find_batch("default", str(asked.batch))
    assert found is not None
    assert list(found.notifications) == list(receipt.ids)
    assert await desk.store.find_batch("second", str(asked.batch)) is None
    assert await ids(desk, batch=asked.batch) == list(receipt.ids)[::-1]


async def test_the_feed_is_read_piece_by_piece_without_gap_or_double(desk: "Desk") -> None:
    for _ in range(5):
        await desk.accept()
    seen, cursor = [], Cursor()
    while True:
        feed = await desk.store.feed("default", cursor, (), 2)
        seen += [event.notification for event in feed.events]
        cursor = feed.next
        if len(seen) >= 5:  # on PostgreSQL they wait while an older transaction is open, anywhere in the server
            break
    assert not feed.has_more
    assert len(seen) == len(set(seen)) == 5
    assert (await desk.store.feed("default", cursor, (), 2)).events == []
    assert (await desk.store.feed("second", Cursor(), (), 2)).events == []
    assert (await desk.store.feed("default", Cursor(), ("email.sent",), 2)).events == []


async def test_a_reader_of_the_feed_misses_nothing_that_many_processes_write(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    stores = [desk.store, desk.another(), desk.another()]

    async def write(number: int) -> list[str]:
        return [(await stores[number].accept(desk.asked())).ids[0] for _ in range(60)]

    async def read() -> list[str]:
        seen: list[str] = []
        cursor = Cursor()
        while len(seen) < 9 * 60:  # an older transaction that is open, anywhere in the server, holds the feed back
            feed = await desk.store.feed("default", cursor, (), 50)
            seen += [event.notification for event in feed.events]
            cursor = feed.next
        return seen

    async with asyncio.timeout(30):
        reader = asyncio.create_task(read())
        written = await asyncio.gather(*(write(number % 3) for number in range(9)))
        seen = await reader
    assert sorted(seen) == sorted(id_ for some in written for id_ in some)
