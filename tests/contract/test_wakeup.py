"""Workers of all machines are woken when a commit made work due; polling is what suffices without it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from sqlalchemy import text

from notifier.store import postgres
from notifier.store.engine import Tx, open_database

if TYPE_CHECKING:
    from tests.contract.conftest import Desk

LISTENERS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


class Bell:
    """Counts how often it rang, and waits for the next time."""

    def __init__(self) -> None:
        self.rung = 0
        self._ringing = asyncio.Event()

    def __call__(self) -> None:
        self.rung += 1
        self._ringing.set()

    async def __aenter__(self) -> None:
        self._ringing.clear()

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(5):
            await self._ringing.wait()


@pytest.fixture
async def notices(emptied_url: str) -> AsyncIterator[asyncio.Queue[str]]:
    """Every notification that the server delivers, from now on."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(emptied_url)
    await connection.add_listener(postgres.CHANNEL, lambda *_: heard.put_nowait("work"))
    await connection.add_listener("marker", lambda *_: heard.put_nowait("marker"))
    yield heard
    await connection.close()


async def heard_until_now(desk: "Desk", notices: asyncio.Queue[str]) -> int:
    """How many commits woke workers; the marker comes after all of them, for NOTIFY keeps the order of commits."""
    await desk.run(lambda tx: tx.connection.execute(text("NOTIFY marker")))
    count = 0
    async with asyncio.timeout(5):
        while await notices.get() != "marker":
            count += 1
    return count


async def test_another_process_hears_of_what_was_accepted(postgres_desk: "Desk") -> None:
    bell, worker = Bell(), postgres_desk.another()
    async with bell:  # once listening, it rings for what may have been missed
        listening = worker.on_work(bell)
        await listening.__aenter__()
    try:
        async with bell:
            await postgres_desk.accept()
    finally:
        await listening.__aexit__(None, None, None)


async def test_a_group_commit_wakes_once_and_only_for_what_is_due(
    postgres_desk: "Desk", notices: asyncio.Queue[str]
) -> None:
    desk = postgres_desk
    await asyncio.gather(*(desk.store.accept(desk.asked()) for _ in range(50)))
    assert await heard_until_now(desk, notices) == 1
    later = datetime.now(UTC) + timedelta(hours=1)
    await desk.accept(send_at=later)
    assert await heard_until_now(desk, notices) == 0
    await desk.suppress("gone@x.test")
    await desk.accept("gone@x.test")
    assert await heard_until_now(desk, notices) == 0


async def test_whatever_is_due_again_wakes(postgres_desk: "Desk", notices: asyncio.Queue[str]) -> None:
    desk = postgres_desk
    ids = [await desk.accept() for _ in range(5)]
    claimed = await desk.claim(3)
    await heard_until_now(desk, notices)
    await desk.store.finish(desk.sent(claimed[0]))
    await desk.store.finish(desk.deferred(claimed[1], 600.0))
    assert await heard_until_now(desk, notices) == 0
    await desk.store.hand_back((ids[2], claimed[2].lease_no))
    assert await heard_until_now(desk, notices) == 1
    await desk.lose()
    assert await heard_until_now(desk, notices) == 1


async def test_a_listener_whose_connection_is_killed_comes_back(
    postgres_desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_RECONNECT_SECONDS", 0.01)
    desk, bell = postgres_desk, Bell()
    async with bell:
        listening = desk.store.on_work(bell)
        await listening.__aenter__()
    async with bell:  # rung when it is back, for what it missed
        killed = await desk.run(lambda tx: tx.connection.execute(LISTENERS).scalar_one())
        assert killed == 1
    async with bell:
        await desk.accept()
    await listening.__aexit__(None, None, None)
    assert await desk.run(lambda tx: tx.connection.execute(LISTENERS).scalar_one()) == 0


async def test_listening_starts_without_a_server_and_ends_at_once() -> None:
    bell = Bell()
    database = open_database("postgresql://nobody@127.0.0.1:1/nothing")
    async with asyncio.timeout(5):
        async with database.listen(bell):
            pass
    assert bell.rung == 0
    await database.close()


async def test_on_sqlite_there_is_nobody_to_listen_to(tmp_path: Path) -> None:
    bell = Bell()
    database = open_database(f"sqlite:///{tmp_path / 'notifier.db'}")
    async with database.listen(bell):
        await database.write(Tx.wake_workers)
    assert bell.rung == 0
    await database.close()
