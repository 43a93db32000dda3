"""One suite, two stores: every test here runs on SQLite and on PostgreSQL."""

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.engine import make_url

from notifier.domain.acceptance import Acceptance, IdempotencyKey, New, Receipt
from notifier.domain.delivery import Claimed, Finish, Moved, NewEvent
from notifier.domain.lifecycle import NotificationStatus, Status
from notifier.domain.notification import Address, Notification, Recipient, uuid7
from notifier.store.engine import Database, Tx, open_database
from notifier.store.store import Store
from notifier.store.tables import metadata, suppression

T = TypeVar("T")


@dataclass
class Commits:
    """What the store says of its group commits: (kind, size)."""

    seen: list[tuple[str, int]] = field(default_factory=list)

    def committed(self, kind: str, size: int, _seconds: float) -> None:
        self.seen.append((kind, size))


class Desk:
    """A store to be tested, and the words to say it in. Times are those of today; a lease or a life that is over is
    asked for with a negative length."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_postgres = url.startswith("postgresql")
        self.commits = Commits()
        self.database: Database = open_database(url)
        self.store = Store(self.database, self.commits)
        self._others: list[Store] = []
        self.turn = 0

    def another(self) -> Store:
        """A second process, as far as the database can tell (PostgreSQL)."""
        other = Store(open_database(self.url), self.commits)
        self._others.append(other)
        return other

    async def close(self) -> None:
        for store in (*self._others, self.store):
            await store.close()

    async def run(self, work: Callable[[Tx], T]) -> T:
        return await self.database.write(work)

    async def rows(self, sql: str, **parameters: Any) -> list[Any]:
        return await self.database.read(lambda tx: list(tx.connection.execute(text(sql), parameters)))

    async def count(self, table: str) -> int:
        ((count,),) = await self.rows(f"SELECT count(*) FROM {table}")  # noqa: S608
        return int(count)

    # ---- asking

    def notification(self, *to: str, project: str = "default", **more: Any) -> Notification:
        id_ = uuid7()
        recipients = tuple(
            Recipient(n, "to", email, address_key=email.lower()) for n, email in enumerate(to or ("u@x.test",))
        )
        known: dict[str, Any] = {"template": "welcome", "version": 1, "data": {"name": "Zoë"}, **more}
        return Notification(
            id_, project, datetime.now(UTC), f"<{id_}@x.test>", Address("a@x.test"), recipients, **known
        )

    def asked(
        self, *to: str, key: str | None = None, body: str = "body", files: dict[str, bytes] | None = None, **more: Any
    ) -> Acceptance:
        one = self.notification(*to, **more)
        named = IdempotencyKey(key, body) if key else None
        return Acceptance(one.project, (New(one, named, files or {}),), one.created_at)

    def batch(
        self, keys: Sequence[str | None], *, project: str = "default", key: str | None = None, body: str = "body"
    ) -> Acceptance:
        """A batch with an item for each of `keys`."""
        id_ = uuid7()
        news = tuple(
            New(
                self.notification(f"u{n}@x.test", project=project, batch=id_),
                IdempotencyKey(item, body) if item else None,
            )
            for n, item in enumerate(keys)
        )
        whole = IdempotencyKey(key, body) if key else None
        return Acceptance(project, news, datetime.now(UTC), id_, whole, tuple(range(len(news))), len(news))

    async def accept(self, *to: str, **more: Any) -> str:
        receipt: Receipt = await self.store.accept(self.asked(*to, **more))
        return receipt.ids[0]

    async def suppress(self, email: str, scope: str = "all", reason: str = "bounced") -> None:
        row = {
            "address_key": email,
            "scope": scope,
            "email": email,
            "reason": reason,
            "source": None,
            "created_at": datetime.now(UTC),
        }
        await self.run(lambda tx: tx.connection.execute(insert(suppression), row))

    # ---- working

    async def claim(self, limit: int = 100, *, lease: float = 60.0, store: Store | None = None) -> Sequence[Claimed]:
        """What a claim without suspects brings."""
        self.turn += 1
        return (await (store or self.store).claim("worker", lease, limit, self.turn, False)).claimed

    async def claim_suspect(self, *, lease: float = 60.0) -> Claimed | None:
        return (await self.store.claim("worker", lease, 0, 1, True)).suspect

    async def lose(self, limit: int = 100) -> Sequence[Claimed]:
        """A worker claims and is never heard of again; its leases are over at once, and taken up."""
        lost = await self.claim(limit, lease=-1.0)
        assert await self.store.reclaim() == len(lost)
        return lost

    def sent(self, claimed: Claimed, **more: Any) -> Finish:
        one = claimed.notification
        finish = Finish(
            id=one.id,
            project=one.project,
            owner="worker",
            lease_no=claimed.lease_no,
            attempts=claimed.attempts + 1,
            moved=[Moved(r.n, Status.SENT, "250 ok") for r in one.recipients],
            events=[NewEvent("email.attempted", None, {"relay": "r"}), NewEvent("email.sent", "u@x.test", {})],
            final="sent",
            due_at=None,
            give_up_at=None,
        )
        return replace(finish, **more)

    def deferred(self, claimed: Claimed, seconds: float, **more: Any) -> Finish:
        moved = [Moved(r.n, Status.DEFERRED, "450 later") for r in claimed.notification.recipients]
        due_at = datetime.now(UTC) + timedelta(seconds=seconds)
        events = [NewEvent("email.deferred", "u@x.test", {})]
        return self.sent(claimed, moved=moved, events=events, final=None, due_at=due_at, **more)

    # ---- looking

    async def status(self, id_: str) -> NotificationStatus:
        return (await self.store.records([id_]))[id_].status

    async def timeline(self, id_: str) -> list[str]:
        return [one.type for one in await self.store.events(id_)]

    async def delivery(self, id_: str) -> Any:
        """The row on the hot table, or None."""
        stored = id_ if self.is_postgres else id_.replace("-", "")
        rows = await self.rows("SELECT * FROM delivery WHERE CAST(id AS text) = :id", id=stored)
        return rows[0] if rows else None


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'notifier.db'}"


@pytest.fixture(scope="session")
async def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with empty tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "notifier.db"
    await _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
async def migrated_url(shared_postgres_url: str) -> str:
    """A PostgreSQL database with tables, shared by the tests of a run, which are not about its disk."""
    connection = await asyncpg.connect(shared_postgres_url)
    await connection.execute(f'ALTER DATABASE "{make_url(shared_postgres_url).database}" SET synchronous_commit = off')
    await connection.close()
    await _migrate(shared_postgres_url)
    return shared_postgres_url


async def _migrate(url: str) -> None:
    store = Store(open_database(url), Commits())
    try:
        await store.migrate()
    finally:
        await store.close()


@pytest.fixture
async def emptied_url(migrated_url: str) -> str:
    connection = await asyncpg.connect(migrated_url)
    await connection.execute(f"TRUNCATE {', '.join(name for name in metadata.tables)} RESTART IDENTITY")
    await connection.close()
    return migrated_url


@pytest.fixture
def copied_url(migrated_file: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_file, tmp_path / "notifier.db")
    return f"sqlite:///{tmp_path / 'notifier.db'}"


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture(params=["copied_url", "emptied_url"], ids=["sqlite", "postgresql"])
def tables_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def desk(tables_url: str) -> AsyncIterator[Desk]:
    async with opened(tables_url) as desk:
        yield desk


@pytest.fixture
async def sqlite_desk(copied_url: str) -> AsyncIterator[Desk]:
    async with opened(copied_url) as desk:
        yield desk


@pytest.fixture
async def postgres_desk(emptied_url: str) -> AsyncIterator[Desk]:
    """For what takes a second process, which SQLite's lock file keeps out."""
    async with opened(emptied_url) as desk:
        yield desk


@pytest.fixture
def make_desk() -> Callable[[str], AbstractAsyncContextManager[Desk]]:
    """A desk at any URL of a database with tables."""
    return opened


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Desk]:
    desk = Desk(url)
    try:
        yield desk
    finally:
        await desk.close()
