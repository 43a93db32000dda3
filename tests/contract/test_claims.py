"""Who gets what, and when: lanes, order, limits, leases, pauses."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.util import await_only

from notifier.domain.lifecycle import Status
from notifier.store.engine import Tx
from notifier.store.tables import delivery

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


def now(seconds: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_a_claim_brings_what_is_due_in_the_order_it_came(desk: "Desk") -> None:
    ids = [await desk.accept() for _ in range(5)]
    later = await desk.accept(send_at=now(3600))
    claimed = await desk.claim(3)
    assert [one.notification.id for one in claimed] == ids[:3]
    assert {one.lease_no for one in claimed} == {1}
    assert [await desk.status(id_) for id_ in (*ids, later)] == ["sending"] * 3 + ["queued"] * 2 + ["scheduled"]
    assert [one.notification.id for one in await desk.claim()] == ids[3:]
    assert not await desk.claim()


async def test_a_claim_says_when_the_next_is_due(desk: "Desk") -> None:
    soon, late = now(600), now(3600)
    await desk.accept(send_at=late)
    await desk.accept(send_at=soon, project="second")
    claim = await desk.store.claim("worker", 60.0, 10, 1, True)
    assert not claim.claimed
    assert claim.next_due_at == soon
    assert abs((claim.now - now()).total_seconds()) < 5


async def test_an_empty_queue_has_no_next(desk: "Desk") -> None:
    claim = await desk.store.claim("worker", 60.0, 10, 1, True)
    assert (list(claim.claimed), claim.suspect, claim.next_due_at) == ([], None, None)


async def test_high_goes_first_and_low_is_left_its_share(desk: "Desk") -> None:
    for priority in ("low", "normal", "high"):
        await asyncio.gather(*(desk.store.accept(desk.asked(priority=priority)) for _ in range(100)))
    counts = Counter(one.notification.priority for one in await desk.claim(100))
    assert counts == {"high": 90, "normal": 5, "low": 5}


async def test_one_projects_batch_does_not_starve_another(desk: "Desk") -> None:
    await desk.store.accept(desk.batch([None] * 300))
    await desk.store.accept(desk.batch([None] * 10, project="second"))
    await desk.store.accept(desk.batch([None] * 300, project="third"))
    counts = Counter(one.notification.project for one in await desk.claim(90))
    assert counts["second"] == 10
    assert {counts["default"], counts["third"]} <= set(range(30, 51))
    assert counts.total() == 90


async def test_a_lease_has_the_length_that_was_asked_for(desk: "Desk") -> None:
    await desk.accept()
    claim = await desk.store.claim("worker", 60.0, 10, 1, True)
    assert claim.claimed[0].lease_until == claim.now + timedelta(seconds=60)
    row = await desk.delivery(claim.claimed[0].notification.id)
    assert (row.state, row.owner, row.lease_no) == ("claimed", "worker", 1)


async def test_two_processes_never_get_the_same_row(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    for _ in range(3):
        await desk.store.accept(desk.batch([None] * 400))
    stores = [desk.store, desk.another(), desk.another()]
    seen: Counter[str] = Counter()

    async def work(n: int) -> None:
        while claimed := await desk.claim(37, store=stores[n]):
            seen.update(one.notification.id for one in claimed)
            assert all(await asyncio.gather(*(stores[n].finish(desk.sent(one)) for one in claimed)))

    await asyncio.gather(*(work(n) for n in range(3)))
    while claimed := await desk.claim():  # a claim that met only rows of others came back empty
        seen.update(one.notification.id for one in claimed)
    assert len(seen) == 1200
    assert set(seen.values()) == {1}


async def test_a_claim_passes_over_what_another_holds_locked(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    ids = [await desk.accept() for _ in range(4)]
    other = desk.another()
    started, go_on = asyncio.Event(), asyncio.Event()

    def hold(tx: Tx) -> None:
        tx.connection.execute(select(delivery).where(delivery.c.id == ids[0]).with_for_update())
        started.set()
        await_only(go_on.wait())

    holding = asyncio.create_task(other._database.write(hold))
    await started.wait()
    assert [one.notification.id for one in await desk.claim()] == ids[1:]
    go_on.set()
    await holding
    assert [one.notification.id for one in await desk.claim()] == ids[:1]


async def test_attempts_and_the_time_to_give_up_are_carried_to_the_next_claim(desk: "Desk") -> None:
    await desk.accept()
    (claimed,) = await desk.claim()
    assert (claimed.attempts, claimed.give_up_at) == (0, None)
    give_up_at = now(3600).replace(microsecond=123456)
    assert await desk.store.finish(desk.deferred(claimed, -1.0, give_up_at=give_up_at))
    (claimed,) = await desk.claim()
    assert (claimed.attempts, claimed.give_up_at, claimed.lease_no) == (1, give_up_at, 2)
    assert claimed.notification.recipients[0].status is Status.DEFERRED


async def test_what_was_deferred_waits_for_its_time(desk: "Desk") -> None:
    id_ = await desk.accept()
    (claimed,) = await desk.claim()
    await desk.store.finish(desk.deferred(claimed, 600.0))
    assert not await desk.claim()
    record = (await desk.store.records([id_]))[id_]
    assert (record.status, record.attempts, record.error) == ("deferred", 1, "450 later")
    assert record.next_attempt_at is not None
    assert record.next_attempt_at > now(500)


async def test_what_has_expired_is_not_sent(desk: "Desk") -> None:
    id_ = await desk.accept("zoe@x.test", "bo@x.test", expires_at=now(-1))
    assert not await desk.claim()
    record = (await desk.store.records([id_]))[id_]
    assert (record.status, record.final) == ("expired", True)
    assert await desk.timeline(id_) == ["email.queued", "email.expired", "email.expired"]


async def test_what_is_paused_is_set_aside_and_comes_back(desk: "Desk") -> None:
    stopped, free = await desk.accept(template="news"), await desk.accept(template="orders")
    await desk.store.add_pause("default", "template:news", "a typo")
    assert [one.notification.id for one in await desk.claim()] == [free]
    record = (await desk.store.records([stopped]))[stopped]
    assert (record.status, record.waits_for) == ("queued", "template:news")
    assert (await desk.delivery(stopped)).state == "paused"
    assert await desk.store.remove_pause("default", "template:news")
    (claimed,) = await desk.claim()
    assert (claimed.notification.id, claimed.lease_no) == (stopped, 2)


async def test_a_pause_of_one_project_stops_no_other(desk: "Desk") -> None:
    await desk.accept()
    other = await desk.accept(project="second")
    await desk.store.add_pause("default", "all", None)
    assert [one.notification.id for one in await desk.claim()] == [other]


async def test_what_waits_behind_paused_rows_is_claimed_without_a_wait(desk: "Desk") -> None:
    await desk.store.accept(desk.batch([None] * 50))
    behind = await desk.accept(template="orders")
    await desk.store.add_pause("default", "template:welcome", None)
    looks = 0
    while True:
        claim = await desk.store.claim("worker", 60.0, 20, looks, True)
        looks += 1
        if claim.claimed:
            break
        assert claim.next_due_at is not None
        assert claim.next_due_at <= claim.now
    assert [one.notification.id for one in claim.claimed] == [behind]
    assert looks == 3


async def test_what_is_over_leaves_the_hot_table(desk: "Desk") -> None:
    id_ = await desk.accept("zoe@x.test")
    (claimed,) = await desk.claim()
    assert await desk.store.finish(desk.sent(claimed))
    assert await desk.delivery(id_) is None
    record = (await desk.store.records([id_]))[id_]
    assert (record.status, record.final, record.attempts) == ("sent", True, 1)
    assert (record.notification.recipients[0].status, record.notification.recipients[0].reply) == ("sent", "250 ok")


async def test_what_needs_no_relay_is_claimed_without_the_rest(desk: "Desk") -> None:
    test = await desk.accept(mode="test")
    await desk.accept(mode="test", send_at=now(3600))
    await desk.accept()
    await desk.accept("delivered@simulator.notifier", "u@x.test")
    played = await desk.accept("delivered@simulator.notifier", "Bounced@Simulator.Notifier", priority="low")
    claim = await desk.store.claim_simulated("worker", 60.0, 10)
    assert [one.notification.id for one in claim.claimed] == [test, played]
    assert not (await desk.store.claim_simulated("worker", 60.0, 10)).claimed
    assert len(await desk.claim()) == 2
