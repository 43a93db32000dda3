"""SQLite: a full disk, a locked file, a second process, callers who go away."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from notifier.domain.acceptance import Receipt
from notifier.domain.errors import ConfigurationError, Unavailable
from notifier.store.engine import Tx, open_database
from notifier.store.sqlite import SqliteDatabase
from notifier.store.store import Store

if TYPE_CHECKING:
    from tests.contract.conftest import Commits, Desk


@asynccontextmanager
async def full_disk(desk: "Desk", pages: int) -> AsyncIterator[None]:
    """The file cannot grow beyond so many pages: SQLITE_FULL, as of a full disk."""
    assert isinstance(desk.database, SqliteDatabase)
    engine = desk.database._write_engine

    def limit(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(engine, "connect", limit)
    await desk.run(lambda tx: tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))
    try:
        yield
    finally:
        event.remove(engine, "connect", limit)
        await desk.run(lambda tx: tx.connection.exec_driver_sql("PRAGMA max_page_count = 1000000000"))


async def test_a_full_disk_is_told_nothing_accepted_is_lost_and_it_heals_by_itself(sqlite_desk: "Desk") -> None:
    desk = sqlite_desk
    before = await desk.accept()
    (claimed,) = await desk.claim()
    async with full_disk(desk, (await desk.rows("PRAGMA page_count"))[0][0] + 40):
        accepted: list[str] = []

        async def fill() -> None:
            while True:
                accepted.append(await desk.accept(key=f"k{len(accepted)}", data={"text": "x" * 2000}))

        with pytest.raises(Unavailable) as refused:
            await fill()
        assert refused.value.code == "storage_full"
        assert refused.value.retry_after > 0
        for _ in range(2):  # and again, on a new connection
            with pytest.raises(Unavailable, match="disk"):
                await desk.accept(data={"text": "x" * 50_000})
        assert len(accepted) > 5
        assert set(await desk.store.records([before, *accepted])) == {before, *accepted}
        assert (await desk.store.earlier("default", [f"k{len(accepted)}"])) == {}
    again = await desk.accept(key=f"k{len(accepted)}")
    assert await desk.store.finish(desk.sent(claimed))
    assert await desk.count("notification") == len(accepted) + 2
    assert {one.notification.id for one in await desk.claim(1000)} == {*accepted, again}
    assert (await desk.rows("PRAGMA integrity_check"))[0][0] == "ok"


async def test_everybody_in_a_group_is_told_that_the_disk_is_full(sqlite_desk: "Desk") -> None:
    desk = sqlite_desk
    async with full_disk(desk, 1):
        asked = [desk.asked(data={"text": "x" * 5000}) for _ in range(20)]
        results = await asyncio.gather(*map(desk.store.accept, asked), return_exceptions=True)
    assert [getattr(result, "code", None) for result in results] == ["storage_full"] * 20
    assert await desk.count("notification") == 0


async def test_a_file_that_somebody_else_has_locked_is_waited_for_and_then_told(
    tmp_path: Path, commits: "Commits", sqlite_desk: "Desk"
) -> None:
    path = tmp_path / "other.db"
    store = Store(SqliteDatabase(path, patience=0.05), commits)
    await store.migrate()
    shell = sqlite3.connect(path, isolation_level=None)
    try:
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            await store.accept(sqlite_desk.asked())
        assert await store.is_ready()  # readers read on
        shell.execute("ROLLBACK")
        assert (await store.accept(sqlite_desk.asked())).fresh[0] is not None
    finally:
        shell.close()
        await store.close()


async def test_the_lock_file_keeps_a_second_process_out_and_names_the_first(sqlite_desk: "Desk") -> None:
    assert await sqlite_desk.accept()
    script = (
        "import asyncio, sys\n"
        "from notifier.domain.errors import ConfigurationError\n"
        "from notifier.store.engine import open_database\n"
        "try:\n"
        "    asyncio.run(open_database(sys.argv[1]).write(lambda _: None))\n"
        "except ConfigurationError as error:\n"
        "    print(error)\n"
    )
    second = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script, sqlite_desk.url], capture_output=True, text=True, check=True
    )
    assert f"(pid {os.getpid()})" in second.stdout
    assert "notifier.db is in use" in second.stdout
    assert await sqlite_desk.accept()


async def test_the_file_is_free_again_when_the_process_is_done(tmp_path: Path, commits: "Commits") -> None:
    first, second = (Store(open_database(f"sqlite:///{tmp_path / 'notifier.db'}"), commits) for _ in range(2))
    await first.migrate()
    with pytest.raises(ConfigurationError):
        await second.reclaim()
    assert await second.is_ready()  # reading takes no lock
    await first.close()
    assert await second.reclaim() == 0
    await second.close()


async def test_a_folder_that_cannot_be_written_to_is_a_setting_that_makes_no_sense(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'nowhere' / 'notifier.db'}")
    with pytest.raises(ConfigurationError, match="nowhere cannot be written to"):
        await database.write(lambda _: None)
    await database.close()


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "mysql://x/y", "not a url", "postgresql://h:port/x"])
def test_a_url_that_names_no_database_of_ours_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="NOTIFIER_DATABASE_URL"):
        open_database(url)


async def test_a_caller_who_goes_away_in_mid_commit_disturbs_nobody(sqlite_desk: "Desk") -> None:
    desk = sqlite_desk
    entered, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(_: Tx) -> None:
        loop.call_soon_threadsafe(entered.set)
        assert go_on.wait(10)

    holding = asyncio.create_task(desk.database.write(hold))
    await entered.wait()
    callers = [asyncio.create_task(desk.store.accept(desk.asked(key=f"k{n}"))) for n in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the group has been handed to the writer's thread
    for caller in callers[::3]:
        caller.cancel()
    go_on.set()
    await holding
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [n % 3 == 0 for n in range(10)]
    assert sum(isinstance(result, Receipt) for result in results) == 6
    assert (await desk.store.accept(desk.asked(key="after"))).fresh[0] is not None
