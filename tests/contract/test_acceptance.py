"""What is accepted is stored as a whole, and once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from notifier.domain.lifecycle import Status
from notifier.domain.notification import AttachmentRef
from notifier.store.engine import Tx
from notifier.store.tables import notification

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


async def test_what_was_accepted_is_found_again_as_it_was(desk: "Desk") -> None:
    asked = desk.asked("zoe@x.test", "bo@x.test", tags=("orders", "eu"), metadata={"user": "42"}, reference="o-1")
    receipt = await desk.store.accept(asked)
    (stored,) = receipt.fresh
    assert stored == asked.news[0].notification
    record = (await desk.store.records(receipt.ids))[receipt.ids[0]]
    assert record.notification == stored
    assert (record.status, record.final, record.attempts, record.error) == ("queued", False, 0, None)
    assert await desk.timeline(receipt.ids[0]) == ["email.queued"]


async def test_what_is_for_later_is_scheduled_and_says_for_when(desk: "Desk") -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    id_ = await desk.accept(send_at=later)
    record = (await desk.store.records([id_]))[id_]
    assert (record.status, record.next_attempt_at) == ("scheduled", later)
    assert await desk.timeline(id_) == ["email.scheduled"]
    assert not await desk.claim()


async def test_a_batch_is_accepted_as_a_whole(desk: "Desk") -> None:
    receipt = await desk.store.accept(desk.batch([None] * 250))
    records = await desk.store.records(receipt.ids)
    assert [records[id_].notification.recipients[0].email for id_ in receipt.ids] == [
        f"u{n}@x.test" for n in range(250)
    ]
    assert await desk.count("delivery") == 250


async def test_a_batch_that_cannot_be_stored_leaves_nothing(desk: "Desk") -> None:
    batch = desk.batch([f"k{n}" for n in range(20)])
    taken = batch.news[13].notification.id
    await desk.store.accept(desk.asked())
    await desk.run(lambda tx: _occupy(tx, taken))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await desk.store.accept(batch)
    for table, count in {"notification": 2, "idempotency": 0, "batch": 0, "tag": 0}.items():
        assert await desk.count(table) == count, table


async def test_a_row_that_cannot_be_stored_spoils_nobody_else_in_its_group(desk: "Desk") -> None:
    bad = desk.asked("bad@x.test", key="bad")
    await desk.run(lambda tx: _occupy(tx, bad.news[0].notification.id))
    asked = [desk.asked(f"u{n}@x.test", key=f"k{n}") for n in range(20)]
    asked.insert(11, bad)
    results = await asyncio.gather(*map(desk.store.accept, asked), return_exceptions=True)
    assert [n for n, result in enumerate(results) if isinstance(result, Exception)] == [11]
    assert await desk.count("delivery") == 20
    assert await desk.count("idempotency") == 20


async def test_a_suppressed_recipient_is_left_out_at_acceptance(desk: "Desk") -> None:
    await desk.suppress("gone@x.test")
    receipt = await desk.store.accept(desk.asked("zoe@x.test", "gone@x.test"))
    assert receipt.fresh[0] is not None
    assert [r.status for r in receipt.fresh[0].recipients] == [Status.QUEUED, Status.SUPPRESSED]
    assert await desk.timeline(receipt.ids[0]) == ["email.queued", "email.suppressed"]
    (claimed,) = await desk.claim()
    assert [r.status for r in claimed.notification.recipients] == [Status.QUEUED, Status.SUPPRESSED]


async def test_whoever_may_write_to_nobody_is_not_queued(desk: "Desk") -> None:
    await desk.suppress("gone@x.test", reason="complained")
    id_ = await desk.accept("gone@x.test")
    record = (await desk.store.records([id_]))[id_]
    assert (record.status, record.final) == ("suppressed", True)
    assert record.notification.recipients[0].reply == "suppressed: complained"
    assert await desk.count("delivery") == 0


async def test_a_suppression_for_a_category_holds_for_that_category_alone(desk: "Desk") -> None:
    await desk.suppress("zoe@x.test", scope="news")
    news, order = await desk.accept("zoe@x.test", category="news"), await desk.accept("zoe@x.test", category="orders")
    assert [await desk.status(news), await desk.status(order)] == ["suppressed", "queued"]


async def test_a_suppression_is_asked_again_at_claim(desk: "Desk") -> None:
    both, one = await desk.accept("zoe@x.test", "gone@x.test"), await desk.accept("gone@x.test")
    await desk.suppress("gone@x.test")
    (claimed,) = await desk.claim()
    assert claimed.notification.id == both
    assert [r.status for r in claimed.notification.recipients] == [Status.QUEUED, Status.SUPPRESSED]
    assert await desk.status(one) == "suppressed"
    assert await desk.timeline(one) == ["email.queued", "email.suppressed"]
    assert await desk.delivery(one) is None


async def test_a_batch_may_name_more_addresses_than_a_statement_has_parameters(desk: "Desk") -> None:
    batch = desk.batch([None])
    people = [f"u{n}@x.test" for n in range(40_000)]
    await desk.suppress(people[-1])
    receipt = await desk.store.accept(desk.asked(*people))
    assert receipt.fresh[0] is not None
    assert [r.n for r in receipt.fresh[0].recipients if r.status is Status.SUPPRESSED] == [39_999]
    assert (await desk.store.accept(batch)).ids


async def test_a_file_is_stored_once_however_many_send_it(desk: "Desk") -> None:
    ref = AttachmentRef("a.pdf", "application/pdf", None, "a" * 64)
    files = {"a" * 64: b"%PDF"}
    asked = [desk.asked(attachments=(ref,), files=files) for _ in range(5)]
    await asyncio.gather(*map(desk.store.accept, asked))
    assert await desk.count("attachment") == 1
    assert await desk.store.files(["a" * 64, "b" * 64]) == files
    (claimed, *_) = await desk.claim()
    assert claimed.notification.attachments == (ref,)


async def test_concurrent_requests_share_a_commit(desk: "Desk") -> None:
    await asyncio.gather(*(desk.store.accept(desk.asked()) for _ in range(100)))
    sizes = [size for kind, size in desk.commits.seen if kind == "accept"]
    assert sum(sizes) == 100
    assert len(sizes) <= 2


async def test_a_group_is_counted_by_its_rows_not_by_its_requests(desk: "Desk") -> None:
    await asyncio.gather(*(desk.store.accept(desk.batch([None] * 200)) for _ in range(6)))
    assert [size for kind, size in desk.commits.seen if kind == "accept"] == [2, 2, 2]


async def test_timelines_are_in_the_order_in_which_things_happened(desk: "Desk") -> None:
    id_ = await desk.accept()
    (claimed,) = await desk.claim()
    await desk.store.finish(desk.deferred(claimed, -1.0))
    (claimed,) = await desk.claim()
    await desk.store.finish(desk.sent(claimed))
    events = await desk.store.events(id_)
    assert [one.type for one in events] == ["email.queued", "email.deferred", "email.attempted", "email.sent"]
    assert [one.seq for one in events] == sorted({one.seq for one in events})
    assert [one.at for one in events] == sorted(one.at for one in events)


def _occupy(tx: Tx, id_: str) -> None:
    """Somebody has this id already."""
    row = {
        "id": id_,
        "project": "default",
        "key": "",
        "mode": "live",
        "sender": ["a@x.test", ""],
        "message_id": "m",
        "priority": "normal",
        "on_unknown": "retry",
        "created_at": tx.now,
    }
    tx.connection.execute(insert(notification), row)
