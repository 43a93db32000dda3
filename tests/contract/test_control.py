"""What callers do to what was accepted: cancel, retry, stop and go on."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from notifier.domain.delivery import Moved
from notifier.domain.errors import Conflict, NotFound
from notifier.domain.lifecycle import Status
from notifier.domain.notification import uuid7
from notifier.store.tables import pause

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


async def test_a_canceled_notification_is_over_and_is_never_claimed(desk: "Desk") -> None:
    id_ = await desk.accept("zoe@x.test", "bo@x.test")
    await desk.store.cancel("default", id_)
    assert not await desk.claim()
    record = (await desk.store.records([id_]))[id_]
    assert (record.status, record.final) == ("canceled", True)
    assert await desk.timeline(id_) == ["email.queued", "email.canceled", "email.canceled"]
    with pytest.raises(Conflict, match="canceled"):
        await desk.store.cancel("default", id_)


async def test_what_one_recipient_has_got_is_not_taken_back(desk: "Desk") -> None:
    id_ = await desk.accept("zoe@x.test", "bo@x.test")
    (claimed,) = await desk.claim()
    moved = [Moved(0, Status.SENT, "250"), Moved(1, Status.DEFERRED, "450")]
    await desk.store.finish(replace(desk.deferred(claimed, 60), moved=moved))
    await desk.store.cancel("default", id_)
    record = (await desk.store.records([id_]))[id_]
    assert record.status == "partial"
    assert [r.status for r in record.notification.recipients] == [Status.SENT, Status.CANCELED]


async def test_what_is_claimed_can_neither_be_canceled_nor_retried(desk: "Desk") -> None:
    id_ = await desk.accept()
    await desk.claim()
    for change in (desk.store.cancel, desk.store.retry):
        with pytest.raises(Conflict, match="sending"):
            await change("default", id_)


async def test_another_projects_notification_is_not_there(desk: "Desk") -> None:
    id_ = await desk.accept()
    for change in (desk.store.cancel, desk.store.retry):
        with pytest.raises(NotFound):
            await change("second", id_)


async def test_cancel_and_claim_at_once_end_in_one_of_both(desk: "Desk") -> None:
    for _ in range(20):
        id_ = await desk.accept()
        canceled, claimed = await asyncio.gather(
            desk.store.cancel("default", id_), desk.claim(), return_exceptions=True
        )
        assert not isinstance(claimed, BaseException)
        assert isinstance(canceled, Conflict) == bool(claimed)


@pytest.mark.parametrize("status", [Status.FAILED, Status.HELD, Status.EXPIRED])
async def test_a_retry_queues_again_behind_a_higher_fence(desk: "Desk", status: Status) -> None:
    id_ = await desk.accept()
    (claimed,) = await desk.claim()
    moved = [Moved(0, status, "550 no")]
    assert await desk.store.finish(desk.sent(claimed, moved=moved, final=status.value))
    await desk.store.retry("default", id_)
    record = (await desk.store.records([id_]))[id_]
    assert (record.status, record.attempts, record.final) == ("queued", 0, False)
    assert not await desk.store.finish(desk.sent(claimed)), "the old lease changes nothing"
    (again,) = await desk.claim()
    assert (again.lease_no, again.attempts, again.give_up_at) == (claimed.lease_no + 1, 0, None)


async def test_a_retry_leaves_out_who_has_got_it(desk: "Desk") -> None:
    id_ = await desk.accept("zoe@x.test", "bo@x.test")
    (claimed,) = await desk.claim()
    moved = [Moved(0, Status.SENT, "250"), Moved(1, Status.FAILED, "550")]
    await desk.store.finish(desk.sent(claimed, moved=moved, final="partial"))
    await desk.store.retry("default", id_)
    (again,) = await desk.claim()
    assert [r.status for r in again.notification.recipients] == [Status.SENT, Status.QUEUED]
    assert (await desk.status(id_)) == "sending"


async def test_a_retry_of_one_while_another_is_open_gives_both_a_new_budget(desk: "Desk") -> None:
    id_ = await desk.accept("zoe@x.test", "bo@x.test")
    (claimed,) = await desk.claim()
    moved = [Moved(0, Status.DEFERRED, "450"), Moved(1, Status.FAILED, "550")]
    deferred = desk.deferred(claimed, 3600, give_up_at=datetime.now(UTC))
    await desk.store.finish(replace(deferred, moved=moved))
    await desk.store.retry("default", id_)
    (again,) = await desk.claim()
    assert (again.attempts, again.give_up_at) == (0, None)


async def test_a_retry_lifts_a_time_that_is_over(desk: "Desk") -> None:
    id_ = await desk.accept(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert not await desk.claim()
    assert await desk.status(id_) == "expired"
    await desk.store.retry("default", id_)
    (again,) = await desk.claim()
    assert again.notification.expires_at is None
    assert (await desk.store.records([id_]))[id_].notification.expires_at is None


async def test_only_what_failed_was_held_or_expired_can_be_retried(desk: "Desk") -> None:
    id_ = await desk.accept()
    with pytest.raises(Conflict, match="queued"):
        await desk.store.retry("default", id_)
    (claimed,) = await desk.claim()
    await desk.store.finish(desk.sent(claimed))
    with pytest.raises(Conflict, match="sent"):
        await desk.store.retry("default", id_)


async def test_two_retries_at_once_queue_it_once(desk: "Desk") -> None:
    id_ = await desk.accept()
    (claimed,) = await desk.claim()
    await desk.store.finish(desk.sent(claimed, moved=[Moved(0, Status.FAILED, "550")], final="failed"))
    results = await asyncio.gather(*(desk.store.retry("default", id_) for _ in range(5)), return_exceptions=True)
    assert sum(result is None for result in results) == 1
    assert all(isinstance(result, Conflict) for result in results if result is not None)
    assert len(await desk.claim()) == 1


async def test_going_on_brings_back_all_that_nothing_else_holds(desk: "Desk") -> None:
    held, batch = await desk.accept(template="news"), desk.batch([None, None])
    await desk.store.accept(batch)
    free = await desk.accept(template="orders")
    scopes = ("all", "template:news", f"batch:{batch.batch}")
    for scope in scopes:
        await desk.store.add_pause("default", scope, None)
    assert not await desk.claim()
    assert await desk.store.remove_pause("default", "all")
    assert [one.notification.id for one in await desk.claim()] == [free]
    assert await desk.store.remove_pause("default", scopes[2])
    assert {one.notification.batch for one in await desk.claim()} == {batch.batch}
    assert await desk.store.remove_pause("default", scopes[1])
    assert [one.notification.id for one in await desk.claim()] == [held]
    assert not await desk.store.remove_pause("default", "all")


async def test_thousands_of_pauses_hold_what_they_are_about_and_nothing_else(desk: "Desk") -> None:
    held, free = await desk.accept(template="news"), await desk.accept(template="orders")
    await desk.store.add_pause("default", "all", None)
    assert not await desk.claim()
    rows = [{"project": "default", "scope": f"template:t{n}", "reason": None} for n in range(3000)]
    rows += [{"project": "default", "scope": f"batch:{uuid7()}", "reason": None} for _ in range(3000)]
    rows.append({"project": "default", "scope": "template:news", "reason": None})
    await desk.run(lambda tx: tx.connection.execute(insert(pause), [{**row, "created_at": tx.now} for row in rows]))
    assert await desk.store.remove_pause("default", "all")
    assert [one.notification.id for one in await desk.claim()] == [free]
    assert await desk.store.remove_pause("default", "template:news")
    assert [one.notification.id for one in await desk.claim()] == [held]


async def test_more_than_one_round_of_rows_comes_back(desk: "Desk") -> None:
    for _ in range(5):
        await desk.store.accept(desk.batch([None] * 500))
    await desk.store.add_pause("default", "all", None)
    while (await desk.store.claim("worker", 60.0, 1000, 1, False)).next_due_at is not None:
        pass
    assert await desk.store.remove_pause("default", "all")
    assert await desk.count("delivery") == 2500
    ((count,),) = await desk.rows("SELECT count(*) FROM delivery WHERE state = 'queued'")
    assert count == 2500


async def test_a_pause_is_told_with_its_reason(desk: "Desk") -> None:
    await desk.store.add_pause("default", "all", "first")
    second = await desk.store.add_pause("default", "all", "second")
    assert await desk.store.pauses("default") == [second]
    assert second.reason == "second"
    assert await desk.store.pauses("other") == []


async def test_the_backlog_is_counted_up_to_a_limit(desk: "Desk") -> None:
    for _ in range(3):
        await desk.accept()
    assert [await desk.store.backlog(limit) for limit in (2, 10)] == [2, 3]


async def test_what_is_held_waits_for_a_person_and_a_lease_from_before_ends_nothing(desk: "Desk") -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    claimed_id = await desk.accept("a@x.test", "b@x.test")
    (claimed,) = await desk.claim()
    waiting = [await desk.accept(), await desk.accept(send_at=later)]
    assert await desk.store.hold("restored from a backup") == 3
    assert await desk.count("delivery") == 0
    assert {await desk.status(id_) for id_ in (claimed_id, *waiting)} == {"held"}
    assert (await desk.timeline(claimed_id))[-2:] == ["email.held", "email.held"]
    (event,) = [one for one in await desk.store.events(waiting[0]) if one.type == "email.held"]
    assert event.detail == {"reason": "restored from a backup"}
    assert not await desk.store.finish(desk.sent(claimed))
    assert await desk.status(claimed_id) == "held"
    assert await desk.store.hold("again") == 0
    await desk.store.retry("default", claimed_id)
    (again,) = await desk.claim()
    assert again.lease_no > claimed.lease_no
    assert await desk.store.finish(desk.sent(again))
    assert await desk.status(claimed_id) == "sent"
    await desk.store.retry("default", waiting[1])
    assert await desk.status(waiting[1]) == "scheduled"
    assert not await desk.claim()


async def test_holding_a_long_queue_leaves_nothing(desk: "Desk") -> None:
    await desk.store.accept(desk.batch([None] * 1100))
    assert await desk.store.hold("restored") == 1100
    assert await desk.count("delivery") == 0
