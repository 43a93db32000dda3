"""Group commit: who shares, who is spared, who is told."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from notifier.domain.errors import Unavailable
from notifier.store import group as group_module
from notifier.store.engine import Tx
from notifier.store.group import Group
from notifier.store.sqlite import SqliteDatabase
from notifier.store.transaction import Blocked


class Sizes:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def committed(self, kind: str, size: int, seconds: float) -> None:
        assert kind == "test"
        assert seconds >= 0
        self.seen.append(size)


class Refusal(Exception):
    pass


class Rollback(Exception):
    pass


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "group.db")
    await database.write(lambda tx: tx.connection.exec_driver_sql("CREATE TABLE done (n INTEGER PRIMARY KEY)"))
    yield database
    await database.close()


@pytest.fixture
def sizes() -> Sizes:
    return Sizes()


def work(tx: Tx, items: Sequence[int]) -> Sequence[int | Exception]:
    """Stores each item; a negative one is refused, and 13 fails the transaction."""
    for item in items:
        if item >= 0:
            tx.connection.exec_driver_sql("INSERT INTO done VALUES (?)", (item,))
        if item == 13:
            raise Rollback
    return [Refusal() if item < 0 else item * 10 for item in items]


async def done(database: SqliteDatabase) -> list[int]:
    query = "SELECT n FROM done ORDER BY n"
    return await database.read(lambda tx: [row[0] for row in tx.connection.exec_driver_sql(query)])


async def test_those_who_come_at_once_share_a_commit_and_get_their_own_answers(
    database: SqliteDatabase, sizes: Sizes
) -> None:
    group = Group("test", database, work, sizes)
    assert await asyncio.gather(*map(group, range(5))) == [0, 10, 20, 30, 40]
    assert sizes.seen == [5]
    assert await done(database) == [0, 1, 2, 3, 4]


async def test_the_next_group_is_who_came_while_the_last_was_committed(database: SqliteDatabase, sizes: Sizes) -> None:
    entered, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(tx: Tx, items: Sequence[int]) -> Sequence[int | Exception]:
        loop.call_soon_threadsafe(entered.set)
        assert go_on.wait(10)
        return work(tx, items)

    group = Group("test", database, slow, sizes)
    first = asyncio.create_task(group(1))
    await entered.wait()
    later = [asyncio.create_task(group(n)) for n in range(2, 6)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, *later)
    assert sizes.seen == [1, 4]


async def test_a_refusal_is_its_callers_alone(database: SqliteDatabase, sizes: Sizes) -> None:
    group = Group("test", database, work, sizes)
    results = await asyncio.gather(group(1), group(-1), group(2), return_exceptions=True)
    assert [type(result) for result in results] == [int, Refusal, int]
    assert sizes.seen == [3]


async def test_who_fails_the_transaction_fails_alone(database: SqliteDatabase, sizes: Sizes) -> None:
    group = Group("test", database, work, sizes)
    results = await asyncio.gather(*map(group, (12, 13, 14)), return_exceptions=True)
    assert [type(result) for result in results] == [int, Rollback, int]
    assert await done(database) == [12, 14]
    assert await group(15) == 150


async def test_a_database_that_is_away_is_told_to_everybody_at_once(database: SqliteDatabase, sizes: Sizes) -> None:
    tries = 0

    def away(tx: Tx, items: Sequence[int]) -> Sequence[int | Exception]:
        nonlocal tries
        tries += 1
        raise Unavailable("away")

    group = Group("test", database, away, sizes)
    results = await asyncio.gather(*map(group, range(10)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 10
    assert tries == 1
    assert sizes.seen == []


async def test_who_is_blocked_leaves_the_way_of_the_others(database: SqliteDatabase, sizes: Sizes) -> None:
    free = threading.Event()

    def contended(tx: Tx, items: Sequence[int]) -> Sequence[int | Exception]:
        if 7 in items and not free.is_set():
            raise Blocked("7 is held")
        return work(tx, items)

    group = Group("test", database, contended, sizes)
    blocked = asyncio.create_task(group(7))
    assert await asyncio.gather(*map(group, range(5))) == [0, 10, 20, 30, 40]
    assert not blocked.done()
    assert await asyncio.gather(*map(group, range(20, 25))) == [200, 210, 220, 230, 240]
    free.set()
    assert await blocked == 70


async def test_who_stays_blocked_is_told_and_was_tried_alone(
    database: SqliteDatabase, sizes: Sizes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_module, "PATIENCE", 0.0)
    groups: list[list[int]] = []

    def contended(tx: Tx, items: Sequence[int]) -> Sequence[int | Exception]:
        groups.append(list(items))
        if 7 in items:
            raise Blocked("7 is held")
        return work(tx, items)

    group = Group("test", database, contended, sizes, blocked=Refusal)
    results = await asyncio.gather(*map(group, (6, 7, 8)), return_exceptions=True)
    assert [type(result) for result in results] == [int, Refusal, int]
    assert groups == [[6, 7, 8], [6], [7], [8]]


async def test_a_group_weighs_no_more_than_it_may_unless_one_item_does(database: SqliteDatabase, sizes: Sizes) -> None:
    group = Group("test", database, work, sizes, weight=lambda item: item, largest=10)
    await asyncio.gather(*map(group, (4, 6, 3, 50, 5, 2, 1)))
    assert sizes.seen == [2, 1, 1, 3]
