"""PostgreSQL: connections that are killed, a server that is away or silent, locks, time-outs, a pool used up."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.util import await_only

from notifier.domain.acceptance import Receipt
from notifier.domain.errors import Refused, Unavailable
from notifier.domain.listing import Filter, Page
from notifier.store import postgres
from notifier.store.engine import Tx, open_database
from notifier.store.postgres import PostgresDatabase
from notifier.store.store import Store
from notifier.store.transaction import Blocked
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from tests.contract.conftest import Commits, Desk

KILL = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
async def proxy(emptied_url: str) -> AsyncIterator[Proxy]:
    url = make_url(emptied_url)
    proxy = Proxy(url.host or "127.0.0.1", url.port or 5432)
    await proxy.open()
    yield proxy
    await proxy.cut()


@pytest.fixture
async def far_desk(emptied_url: str, proxy: Proxy, make_desk: Any) -> AsyncIterator["Desk"]:
    """A desk whose server is behind the proxy."""
    url = make_url(emptied_url).set(host="127.0.0.1", port=proxy.port)
    async with make_desk(url.render_as_string(hide_password=False)) as desk:
        yield desk


async def test_a_connection_killed_in_mid_transaction_leaves_nothing_and_is_told(postgres_desk: "Desk") -> None:
    desk = postgres_desk

    def work(tx: Tx) -> None:
        tx.connection.execute(text("INSERT INTO pause VALUES ('default', 'all', NULL, now())"))
        tx.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(Unavailable):
        await desk.run(work)
    assert await desk.count("pause") == 0
    assert await desk.accept()


async def test_connections_killed_while_they_lay_in_the_pool_trouble_nobody(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    killer = desk.another()
    await asyncio.gather(*(desk.store.is_ready() for _ in range(8)))
    killed = await killer._database.write(lambda tx: tx.connection.execute(KILL).scalar_one())
    assert killed >= 2
    assert await desk.accept()
    assert all(await asyncio.gather(*(desk.store.is_ready() for _ in range(8))))


async def test_nothing_is_lost_or_doubled_while_connections_are_killed_under_load(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    killer = desk.another()
    troubles = accepted = 0
    kill = asyncio.Event()

    async def post(n: int) -> str:
        nonlocal troubles, accepted
        while True:
            try:
                receipt: Receipt = await desk.store.accept(desk.asked(key=f"k{n}"))
            except Unavailable:
                troubles += 1
            else:
                accepted += 1
                if accepted % 40 == 0:
                    kill.set()
                return receipt.ids[0]

    async def keep_killing() -> None:
        while True:
            await kill.wait()
            kill.clear()
            await killer._database.write(lambda tx: tx.connection.execute(KILL))

    async def caller(first: int) -> list[str]:
        return [await post(n) for n in range(first, 400, 20)]

    killing = asyncio.create_task(keep_killing())
    ids = [id_ for some in await asyncio.gather(*map(caller, range(20))) for id_ in some]
    killing.cancel()
    await asyncio.gather(killing, return_exceptions=True)
    assert troubles > 0
    assert len(set(ids)) == await desk.count("notification") == await desk.count("delivery") == 400


async def test_a_server_that_is_away_is_told_and_found_again(far_desk: "Desk", proxy: Proxy) -> None:
    before = await far_desk.accept()
    await proxy.cut()
    for ask in (far_desk.store.is_ready, far_desk.store.reclaim, far_desk.store.migrate, far_desk.accept):
        with pytest.raises(Unavailable):
            await ask()
    await proxy.open()
    assert await far_desk.store.is_ready()
    assert await far_desk.status(before) == "queued"
    assert await far_desk.accept()


async def test_a_server_that_says_nothing_is_told_within_the_time_to_connect(
    far_desk: "Desk", proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    await proxy.cut()
    proxy.silent = True
    await proxy.open()
    monkeypatch.setattr(postgres, "_CONNECT_SECONDS", 0.1)
    with pytest.raises(Unavailable):
        await far_desk.accept()


async def test_a_server_that_falls_silent_is_given_up(
    emptied_url: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_ANSWER_SECONDS", 0.3)
    url = make_url(emptied_url).set(host="127.0.0.1", port=proxy.port)
    database = PostgresDatabase(url)
    assert await database.read(lambda tx: tx.connection.execute(text("SELECT 1")).scalar_one()) == 1
    proxy.silent = True
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable):
            await database.read(lambda tx: tx.connection.execute(text("SELECT 1")))
    await proxy.cut()
    await database.close()


async def test_a_server_that_does_not_let_us_in_is_told_with_its_reason(emptied_url: str) -> None:
    for wrong, reason in (
        (make_url(emptied_url).set(database="no_such"), "no_such"),
        (make_url(emptied_url).set(username="nobody_of_that_name"), "nobody_of_that_name"),
    ):
        database = open_database(wrong.render_as_string(hide_password=False))
        with pytest.raises(Unavailable, match=reason):
            await database.read(lambda _: None)
        await database.close()


async def test_a_pool_used_up_is_told(emptied_url: str) -> None:
    database = PostgresDatabase(make_url(emptied_url), connections=1, pool_wait=0.05)
    entered, go_on = asyncio.Event(), asyncio.Event()

    def hold(_: Tx) -> None:
        entered.set()
        await_only(go_on.wait())

    holding = asyncio.create_task(database.write(hold))
    await entered.wait()
    with pytest.raises(Unavailable, match="busy"):
        await database.write(lambda _: None)
    go_on.set()
    await holding
    await database.write(lambda _: None)
    await database.close()


async def test_every_transaction_has_its_time_outs_and_the_session_has_none(postgres_desk: "Desk") -> None:
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")

    def settings(tx: Tx) -> list[str]:
        return [tx.connection.execute(text(f"SHOW {name}")).scalar_one() for name in names]

    assert await postgres_desk.database.write(settings, 0.25) == ["250ms", "30s", "15s"]
    assert await postgres_desk.database.read(settings) == ["5s", "30s", "15s"]
    assert isinstance(postgres_desk.database, PostgresDatabase)
    async with postgres_desk.database._engine.connect() as connection:
        assert [(await connection.execute(text(f"SHOW {name}"))).scalar_one() for name in names] == ["0", "0", "0"]


async def test_a_lock_is_waited_for_as_long_as_was_said(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    await desk.accept()
    entered, go_on = asyncio.Event(), asyncio.Event()
    lock = text("SELECT id FROM delivery FOR UPDATE")

    def hold(tx: Tx) -> None:
        tx.connection.execute(lock)
        entered.set()
        await_only(go_on.wait())

    holding = asyncio.create_task(desk.another()._database.write(hold))
    await entered.wait()
    with pytest.raises(Blocked):
        await desk.database.write(lambda tx: tx.connection.execute(lock), 0.05)
    go_on.set()
    await holding
    await desk.database.write(lambda tx: tx.connection.execute(lock), 0.05)


async def test_finishing_waits_for_whoever_holds_the_row_and_then_goes_through(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    held, free = await desk.accept(), await desk.accept()
    claimed = {one.notification.id: one for one in await desk.claim()}
    entered, go_on = asyncio.Event(), asyncio.Event()

    def hold(tx: Tx) -> None:
        tx.connection.execute(text("SELECT id FROM delivery WHERE id = :id FOR UPDATE"), {"id": held})
        entered.set()
        await_only(go_on.wait())

    holding = asyncio.create_task(desk.another()._database.write(hold))
    await entered.wait()
    waiting, through = (asyncio.create_task(desk.store.finish(desk.sent(claimed[id_]))) for id_ in (held, free))
    assert await through
    assert not waiting.done()
    go_on.set()
    await holding
    assert await waiting


async def test_a_reader_sees_one_moment(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    id_ = await desk.accept()
    (claimed,) = await desk.claim()
    seen, changed = asyncio.Event(), asyncio.Event()

    def read(tx: Tx) -> tuple[Any, Any]:
        count = text("SELECT count(*) FROM delivery")
        first = tx.connection.execute(count).scalar_one()
        seen.set()
        await_only(changed.wait())
        return first, tx.connection.execute(count).scalar_one()

    reading = asyncio.create_task(desk.database.read(read))
    await seen.wait()
    assert await desk.store.finish(desk.sent(claimed))
    changed.set()
    assert await reading == (1, 1)
    assert await desk.status(id_) == "sent"


async def test_a_caller_who_goes_away_in_mid_commit_disturbs_nobody(postgres_desk: "Desk") -> None:
    desk = postgres_desk
    callers = [asyncio.create_task(desk.store.accept(desk.asked(key=f"k{n}"))) for n in range(10)]
    for _ in range(3):
        await asyncio.sleep(0)  # the group is on its way
    for caller in callers[::3]:
        caller.cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert sum(isinstance(result, Receipt) for result in results) == 6
    assert (await desk.store.accept(desk.asked(key="after"))).fresh[0] is not None


async def test_a_url_in_libpqs_words_is_understood(emptied_url: str, commits: "Commits") -> None:
    store = Store(open_database(f"{emptied_url}?sslmode=prefer&application_name=notifier"), commits)
    await store.migrate()
    assert await store.is_ready()
    await store.close()


async def test_text_that_postgresql_cannot_hold_is_refused_and_not_a_defect(postgres_desk: "Desk") -> None:
    with pytest.raises(Refused, match="NUL"):
        await postgres_desk.store.matching("default", Filter(reference="a\0"), Page(1))
    with pytest.raises(Refused, match="NUL"):
        await postgres_desk.store.add_pause("default", "all", "a\0")
