"""The fence, and what becomes of what a lost worker held."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from notifier.domain.delivery import LAST_CRASH, Moved
from notifier.domain.errors import Conflict
from notifier.domain.lifecycle import Status

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


async def test_a_finish_after_the_lease_was_lost_changes_nothing_but_the_timeline(desk: "Desk") -> None:
    id_ = await desk.accept()
    (late,) = await desk.lose()
    before = (await desk.store.records([id_]))[id_], await desk.delivery(id_)
    assert not await desk.store.finish(desk.sent(late))
    assert ((await desk.store.records([id_]))[id_], await desk.delivery(id_)) == before
    events = await desk.store.events(id_)
    assert [one.type for one in events] == ["email.queued", "email.unknown", "email.attempted", "email.sent"]
    assert all("late" in one.detail for one in events[2:])


async def test_a_late_finish_beside_the_good_one_in_a_group_changes_nothing(desk: "Desk") -> None:
    for order in (1, -1):
        id_ = await desk.accept()
        (late,) = await desk.lose()
        current = await desk.claim_suspect()
        assert current is not None
        finishes = [desk.deferred(late, 600.0), desk.sent(current)][::order]
        answers = await asyncio.gather(*map(desk.store.finish, finishes))
        assert answers == [False, True][::order]
        record = (await desk.store.records([id_]))[id_]
        assert (record.status, record.notification.recipients[0].reply) == ("sent", "250 ok")
        assert await desk.delivery(id_) is None


async def test_a_lease_is_finished_once(desk: "Desk") -> None:
    await desk.accept()
    (claimed,) = await desk.claim()
    kinds = [desk.sent(claimed, final=final) for final in ("sent", "failed", "held")]
    answers = await asyncio.gather(*map(desk.store.finish, kinds))
    assert answers == [True, False, False]
    assert await desk.count("ended") == 1


async def test_the_same_finish_again_is_told_once(desk: "Desk") -> None:
    """The commit went through and its answer was lost: whoever recorded it does so again."""
    id_ = await desk.accept()
    (claimed,) = await desk.claim()
    finish = desk.sent(claimed)
    assert await asyncio.gather(*(desk.store.finish(finish) for _ in range(3))) == [True] * 3
    told = await desk.store.events(id_)
    assert await desk.store.finish(finish)
    assert await desk.store.events(id_) == told
    assert [one.type for one in told] == ["email.queued", "email.attempted", "email.sent"]
    assert not await desk.store.finish(desk.sent(claimed, final="failed"))
    assert not await desk.store.finish(desk.sent(claimed, attempts=5))


async def test_the_same_finish_again_is_told_once_after_it_was_delivered(desk: "Desk") -> None:
    id_ = await desk.accept()
    (claimed,) = await desk.claim()
    finish = desk.sent(claimed)
    await desk.store.finish(finish)
    await desk.run(lambda tx: tx.connection.exec_driver_sql("UPDATE ended SET status = 'delivered'"))
    assert await desk.store.finish(finish)
    assert await desk.timeline(id_) == ["email.queued", "email.attempted", "email.sent"]


async def test_the_same_deferral_again_is_told_once(desk: "Desk") -> None:
    id_ = await desk.accept()
    (claimed,) = await desk.claim()
    finish = desk.deferred(claimed, 600.0)
    assert await desk.store.finish(finish)
    row = await desk.delivery(id_)
    assert await desk.store.finish(finish)
    assert await desk.timeline(id_) == ["email.queued", "email.deferred"]
    assert await desk.delivery(id_) == row
    assert not await desk.store.finish(desk.deferred(claimed, 900.0))
    assert (await desk.timeline(id_))[2:] == ["email.deferred"]


async def test_a_lost_lease_cannot_be_handed_back_extended_or_marked(desk: "Desk") -> None:
    id_ = await desk.accept()
    (late,) = await desk.lose()
    current = await desk.claim_suspect()
    assert current is not None
    before = await desk.delivery(id_)
    token = (id_, late.lease_no)
    assert not await desk.store.hand_back(token)
    assert not await desk.store.mark_transmitting(token)
    assert await desk.store.extend([token], 600.0) == frozenset()
    assert await desk.delivery(id_) == before
    assert await desk.store.extend([token, (id_, current.lease_no)], 600.0) == {id_}
    assert await desk.store.finish(desk.sent(current))


async def test_a_stale_token_beside_the_good_one_in_a_group_gets_its_own_answer(desk: "Desk") -> None:
    id_ = await desk.accept()
    (late,) = await desk.lose()
    current = await desk.claim_suspect()
    assert current is not None
    tokens = [(id_, late.lease_no), (id_, current.lease_no)]
    assert await asyncio.gather(*map(desk.store.mark_transmitting, tokens)) == [False, True]
    assert await asyncio.gather(*map(desk.store.hand_back, tokens)) == [False, True]


async def test_a_renewed_lease_is_not_taken_up(desk: "Desk") -> None:
    id_ = await desk.accept()
    (claimed,) = await desk.claim(lease=-1.0)
    assert await desk.store.extend([(id_, claimed.lease_no)], 600.0) == {id_}
    assert await desk.store.reclaim() == 0
    assert await desk.store.finish(desk.sent(claimed))


async def test_what_is_handed_back_is_as_it_was(desk: "Desk") -> None:
    id_ = await desk.accept()
    (claimed,) = await desk.claim()
    await desk.store.finish(desk.deferred(claimed, -1.0, give_up_at=_later()))
    (claimed,) = await desk.claim()
    assert await desk.store.hand_back((id_, claimed.lease_no))
    assert await desk.status(id_) == "deferred"
    (again,) = await desk.claim()
    assert (again.attempts, again.crashes, again.give_up_at) == (1, 0, _later())
    assert again.lease_no == claimed.lease_no + 1


async def test_a_crash_is_not_an_attempt(desk: "Desk") -> None:
    id_ = await desk.accept()
    await desk.lose()
    suspect = await desk.claim_suspect()
    assert suspect is not None
    assert (suspect.attempts, suspect.crashes) == (0, 1)
    assert await desk.timeline(id_) == ["email.queued", "email.unknown"]


async def test_suspects_are_claimed_one_at_a_time_and_never_with_others(desk: "Desk") -> None:
    lost = {await desk.accept() for _ in range(3)}
    await desk.lose()
    fresh = await desk.accept()
    assert [one.notification.id for one in await desk.claim()] == [fresh]
    claim = await desk.store.claim("worker", 60.0, 100, 1, True)
    assert not claim.claimed
    assert claim.suspect is not None
    assert claim.suspect.notification.id in lost
    assert await desk.store.finish(desk.sent(claim.suspect))
    others = [await desk.claim_suspect() for _ in range(3)]
    assert [one is not None for one in others] == [True, True, False]


async def test_a_suspect_that_waits_says_when_it_is_due(desk: "Desk") -> None:
    id_ = await desk.accept()
    await desk.lose()
    suspect = await desk.claim_suspect()
    assert suspect is not None
    assert await desk.store.hand_back((id_, suspect.lease_no))
    column = "due_at + interval '1 hour'" if desk.is_postgres else "due_at + 3600000000"
    await desk.run(lambda tx: tx.connection.exec_driver_sql(f"UPDATE delivery SET due_at = {column}"))  # noqa: S608
    claim = await desk.store.claim("worker", 60.0, 10, 1, True)
    assert claim.suspect is None
    assert claim.next_due_at is not None
    assert claim.next_due_at > claim.now + timedelta(minutes=50)
    assert (await desk.store.claim("worker", 60.0, 10, 1, False)).next_due_at is None


async def test_an_attempt_that_ended_clears_the_suspicion(desk: "Desk") -> None:
    await desk.accept()
    await desk.lose()
    suspect = await desk.claim_suspect()
    assert suspect is not None
    await desk.store.finish(desk.deferred(suspect, -1.0))
    (claimed,) = await desk.claim()
    assert (claimed.attempts, claimed.crashes) == (1, 0)


async def test_what_was_lost_alone_three_times_is_poison(desk: "Desk") -> None:
    id_, neighbour = await desk.accept(), await desk.accept()
    await desk.lose()
    while (suspect := await desk.claim_suspect(lease=-1.0)) is not None:
        if suspect.notification.id == neighbour:
            assert await desk.store.finish(desk.sent(suspect))
        else:
            assert await desk.store.reclaim() == 1
    record = (await desk.store.records([id_]))[id_]
    assert (record.status, record.final, record.attempts) == ("failed", True, 0)
    assert record.error is not None
    assert record.error.startswith("poison")
    assert (await desk.timeline(id_)).count("email.unknown") == LAST_CRASH - 1
    assert (await desk.timeline(id_))[-1] == "email.failed"
    assert await desk.status(neighbour) == "sent"


async def test_a_lease_lost_after_the_mark_is_held_and_before_it_queued(desk: "Desk") -> None:
    marked, unmarked = await desk.accept(on_unknown="hold"), await desk.accept(on_unknown="hold")
    claimed = {one.notification.id: one for one in await desk.claim(lease=-1.0)}
    assert await desk.store.mark_transmitting((marked, claimed[marked].lease_no))
    assert await desk.store.reclaim() == 2
    assert [await desk.status(marked), await desk.status(unmarked)] == ["held", "queued"]
    assert await desk.timeline(marked) == ["email.queued", "email.held"]
    assert await desk.delivery(marked) is None


async def test_the_mark_does_not_outlive_its_lease(desk: "Desk") -> None:
    id_ = await desk.accept(on_unknown="hold")
    (claimed,) = await desk.claim()
    assert await desk.store.mark_transmitting((id_, claimed.lease_no))
    assert await desk.store.finish(desk.deferred(claimed, -1.0))
    await desk.claim(lease=-1.0)
    assert await desk.store.reclaim() == 1
    assert await desk.status(id_) == "deferred"


async def test_a_lease_that_stands_is_left_alone(desk: "Desk") -> None:
    await desk.accept()
    await desk.claim()
    assert await desk.store.reclaim() == 0


async def test_the_only_process_takes_up_every_lease_at_its_start(desk: "Desk") -> None:
    await desk.store.accept(desk.batch([None] * 600))
    while await desk.claim(200):
        pass
    assert await desk.store.reclaim_all() == 600
    assert await desk.store.reclaim_all() == 0


async def test_the_lease_number_is_never_lowered(desk: "Desk") -> None:
    id_ = await desk.accept()
    numbers = []
    for _ in range(3):
        (claimed,) = await desk.claim()
        numbers.append(claimed.lease_no)
        await desk.store.finish(desk.deferred(claimed, -1.0))
    (claimed,) = await desk.claim()
    await desk.store.finish(desk.sent(claimed, final="failed", moved=[_failed()]))
    await desk.store.retry("default", id_)
    (again,) = await desk.claim()
    assert [*numbers, claimed.lease_no, again.lease_no] == [1, 2, 3, 4, 5]
    assert not await desk.store.finish(desk.sent(claimed))
    assert (again.attempts, again.give_up_at) == (0, None)


async def test_what_is_being_sent_cannot_be_canceled_and_what_waits_can(desk: "Desk") -> None:
    sending, waits = await desk.accept(), await desk.accept()
    await desk.claim(1)
    results = await asyncio.gather(
        *(desk.store.cancel("default", id_) for id_ in (sending, waits)), return_exceptions=True
    )
    assert isinstance(results[0], Conflict)
    assert results[1] is None
    assert [await desk.status(sending), await desk.status(waits)] == ["sending", "canceled"]


def _later() -> datetime:
    return datetime(2100, 1, 1, tzinfo=UTC)


def _failed() -> Moved:
    return Moved(0, Status.FAILED, "550 no")
