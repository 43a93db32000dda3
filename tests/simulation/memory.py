"""The store's own statements on an SQLite in memory, run at once in the loop, at the simulation's time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from notifier.domain.errors import Unavailable
from notifier.store import schema
from notifier.store.engine import Tx
from notifier.store.transaction import PATIENCE

T = TypeVar("T")
DAWN = datetime(2030, 1, 1, tzinfo=UTC)  # second 0 of every simulation

WATCHES = """
CREATE TABLE move (notification, n, old, new);
CREATE TRIGGER moves AFTER UPDATE OF status ON recipient WHEN old.status <> new.status BEGIN
    INSERT INTO move VALUES (new.notification, new.n, old.status, new.status);
END;
CREATE TRIGGER fence AFTER UPDATE OF lease_no ON delivery WHEN new.lease_no < old.lease_no BEGIN
    SELECT RAISE(ABORT, 'lease_no was lowered');
END;
"""
"""What the simulation wants to know of changes and the product has no need to keep."""


def at(seconds: float) -> datetime:
    return DAWN + timedelta(seconds=seconds)


@cache
def _engine() -> Engine:
    """One engine for all simulations of a process: its compiled statements are worth keeping."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"isolation_level": None})

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@cache
def _pristine() -> sqlite3.Connection:
    """An empty database with the schema and the watches, to be copied."""
    with _engine().begin() as connection:
        schema.upgrade(connection)
    raw: Any = _engine().raw_connection().driver_connection
    raw.executescript(WATCHES)
    copy = sqlite3.connect(":memory:")
    raw.backup(copy)
    return copy


class MemoryDatabase:
    """A `Database` for simulations: a transaction is one step, and there is an await before it and one behind it.

    `clock` gives seconds, `away` whether the database cannot be reached, `full` whether it takes no change.
    `committed` is called after each commit.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        away: Callable[[], bool],
        full: Callable[[], bool],
        committed: Callable[[], None],
    ) -> None:
        pristine = _pristine()
        self.raw: sqlite3.Connection = _engine().raw_connection().driver_connection  # type: ignore[assignment]
        pristine.backup(self.raw)
        self._connection = _engine().connect()
        self._clock = clock
        self._away = away
        self._full = full
        self._committed = committed

    def run(self, work: Callable[[Tx], T]) -> T:
        """A transaction, here and now."""
        with self._connection.begin():
            result = work(Tx(self._connection, at(self._clock())))
        self._committed()
        return result

    def _without_change(self, work: Callable[[Tx], T]) -> Callable[[Tx], T]:
        def look(tx: Tx) -> T:
            before = self.raw.total_changes
            result = work(tx)
            if self.raw.total_changes != before:
                raise Unavailable("the simulated disk is full", retry_after=10.0)
            return result

        return look

    async def write(self, work: Callable[[Tx], T], patience: float = PATIENCE) -> T:  # noqa: ARG002 - nobody is in the way
        await asyncio.sleep(0)
        if self._away():
            raise Unavailable("the simulated database is away", retry_after=1.0)
        result = self.run(self._without_change(work) if self._full() else work)
        await asyncio.sleep(0)  # who dies here has committed, and never heard of it
        return result

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self.write(work)

    async def migrate(self, work: Callable[[Connection], None]) -> None:
        await self.write(lambda tx: work(tx.connection))

    @asynccontextmanager
    async def listen(
        self, _work: Callable[[], None], _telling: Callable[[], None] = lambda: None
    ) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        yield

    async def close(self) -> None:
        self._connection.close()
