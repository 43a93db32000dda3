"""One key is one mail: among the twins of a group, of two processes, of two days."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from notifier.domain.acceptance import Receipt
from notifier.domain.errors import Conflict, Refused
from notifier.store import group
from notifier.store.postgres import PostgresDatabase
from notifier.store.tables import idempotency

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


def fresh(receipts: list[Receipt]) -> int:
    return sum(one is not None for receipt in receipts for one in receipt.fresh)


async def test_two_hundred_at_once_with_one_key_make_one(desk: "Desk") -> None:
    receipts = await asyncio.gather(*(desk.store.accept(desk.asked(key="k")) for _ in range(200)))
    assert len({receipt.ids for receipt in receipts}) == 1
    assert fresh(receipts) == 1
    assert await desk.count("notification") == await desk.count("delivery") == 1


async def test_a_replay_is_answered_with_the_first_id(desk: "Desk") -> None:
    first = await desk.store.accept(desk.asked(key="k"))
    again = await desk.store.accept(desk.asked(key="k"))
    assert (again.ids, again.fresh) == (first.ids, (None,))
    assert (await desk.store.earlier("default", ["k", "other"])).keys() == {"k"}


async def test_the_same_key_in_another_project_is_another_key(desk: "Desk") -> None:
    first, second = await desk.accept(key="k"), await desk.accept(key="k", project="second")
    assert first != second


async def test_a_key_that_comes_with_another_body_is_refused(desk: "Desk") -> None:
    await desk.accept(key="k")
    with pytest.raises(Refused) as refused:
        await desk.store.accept(desk.asked(key="k", body="another"))
    assert refused.value.code == "idempotency_key_reused"
    assert [fault.field for fault in refused.value.faults] == ["Idempotency-Key"]


async def test_twins_of_a_group_with_different_bodies_make_one_and_one_refusal(desk: "Desk") -> None:
    asked = [desk.asked(key="k", body=body) for body in ("one", "two")]
    results = await asyncio.gather(*map(desk.store.accept, asked), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Receipt", "Refused"]
    assert await desk.count("notification") == 1


async def test_a_batch_is_replayed_as_a_whole_by_its_own_key(desk: "Desk") -> None:
    first = desk.batch([None, None], key="b")
    await desk.store.accept(first)
    again = await desk.store.accept(desk.batch([None, None], key="b"))
    assert again.batch == first.batch
    assert await desk.count("notification") == 2


async def test_a_refused_batch_leaves_no_key_behind(desk: "Desk") -> None:
    await desk.accept(key="taken", body="before")
    batch = desk.batch(["new-1", "taken", "new-2"], key="whole")
    with pytest.raises(Refused) as refused:
        await desk.store.accept(batch)
    assert [fault.field for fault in refused.value.faults] == ["notifications[1].idempotency_key"]
    assert (await desk.store.earlier("default", ["new-1", "new-2", "whole"])) == {}
    assert await desk.count("notification") == 1


async def test_batches_that_share_keys_give_one_mail_for_each_key(desk: "Desk") -> None:
    batches = [desk.batch(["a", "b"]), desk.batch(["b", "c"]), desk.batch(["c", "a"]), desk.batch(["a", "a"])]
    receipts = await asyncio.gather(*map(desk.store.accept, batches))
    by_key = [
        dict(zip(keys, receipt.ids, strict=True)) for keys, receipt in zip(("ab", "bc", "ca"), receipts, strict=False)
    ]
    assert by_key[0]["b"] == by_key[1]["b"]
    assert by_key[1]["c"] == by_key[2]["c"]
    assert by_key[2]["a"] == by_key[0]["a"] == receipts[3].ids[0] == receipts[3].ids[1]
    assert fresh(receipts) == await desk.count("notification") == 3


async def test_two_processes_with_the_same_keys_in_any_order_make_one_each(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    stores = [desk.store, desk.another(), desk.another()]
    keys = [f"k{n}" for n in range(40)]

    async def post(store: int, order: list[str]) -> list[Receipt]:
        asked = [desk.batch(order[n : n + 8]) for n in range(0, len(order), 8)]
        asked += [desk.asked(key=key) for key in order]
        return list(await asyncio.gather(*map(stores[store].accept, asked)))

    for round_ in range(5):
        named = [f"{round_}-{key}" for key in keys]
        receipts = await asyncio.gather(post(0, named), post(1, named[::-1]), post(2, named[20:] + named[:20]))
        assert fresh([receipt for some in receipts for receipt in some]) == 40
    assert await desk.count("notification") == await desk.count("idempotency") == 200


async def test_a_twin_in_flight_in_another_process_is_waited_for(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    async with _InFlight(desk, "k") as other:
        twin = asyncio.create_task(desk.store.accept(desk.asked(key="k")))
        bystanders = await asyncio.gather(*(desk.store.accept(desk.asked(key=f"free-{n}")) for n in range(20)))
        assert fresh(bystanders) == 20
        assert not twin.done()
        other.commit()
        receipt = await twin
    assert receipt.ids == (other.notification,)


async def test_a_twin_in_flight_for_too_long_is_a_conflict_and_no_one_elses_trouble(
    postgres_desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = postgres_desk
    monkeypatch.setattr(group, "PATIENCE", 0.5)
    async with _InFlight(desk, "k"):
        asked = [desk.asked(key="k"), *(desk.asked(key=f"free-{n}") for n in range(20))]
        twin, *bystanders = await asyncio.gather(*map(desk.store.accept, asked), return_exceptions=True)
    assert isinstance(twin, Conflict)
    assert twin.code == "idempotency_in_flight"
    assert all(isinstance(receipt, Receipt) for receipt in bystanders)
    assert isinstance(await desk.store.accept(desk.asked(key="k")), Receipt)


class _InFlight:
    """Another process whose transaction has inserted a key, and is not committed."""

    notification = "01234567-89ab-7def-8000-000000000000"

    def __init__(self, desk: "Desk", key: str) -> None:
        self._desk = desk
        self._row = {
            "project": "default",
            "key": key,
            "fingerprint": "body",
            "notification": self.notification,
            "batch": None,
            "created_at": datetime.now(UTC),
        }

    async def __aenter__(self) -> "_InFlight":
        database = self._desk.another()._database
        assert isinstance(database, PostgresDatabase)
        self._connection = await database._engine.connect()
        await self._connection.execute(insert(idempotency), self._row)
        return self

    def commit(self) -> None:
        self._committed = asyncio.create_task(self._connection.commit())

    async def __aexit__(self, *_: object) -> None:
        if hasattr(self, "_committed"):
            await self._committed
        await self._connection.close()


async def test_forgetting_keeps_keys_that_are_young_or_whose_mail_is_open(desk: "Desk") -> None:
    ended, open_ = await desk.accept(key="ended"), await desk.accept(key="open", send_at=_later())
    await desk.store.accept(desk.batch([None, None], key="open-batch"))
    (claimed, *_) = [one for one in await desk.claim() if one.notification.id == ended]
    await desk.store.finish(desk.sent(claimed))
    assert await desk.store.forget(3600.0) == 0
    assert await desk.store.forget(-1.0) == 1
    assert (await desk.store.earlier("default", ["ended", "open", "open-batch"])).keys() == {"open", "open-batch"}
    assert (await desk.store.accept(desk.asked(key="open"))).ids == (open_,)


async def test_a_batchs_key_is_forgotten_when_all_of_it_is_over(desk: "Desk") -> None:
    await desk.store.accept(desk.batch([None, None], key="b"))
    first, second = await desk.claim()
    await desk.store.finish(desk.sent(first))
    assert await desk.store.forget(-1.0) == 0
    await desk.store.finish(desk.sent(second))
    assert await desk.store.forget(-1.0) == 1


def _later() -> datetime:
    return datetime(2100, 1, 1, tzinfo=UTC)
