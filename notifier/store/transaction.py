"""What both databases have in common: a transaction, how it is asked for, and what its failures mean."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection

from notifier.domain.errors import Unavailable

T = TypeVar("T")
Clock = Callable[[], datetime]

PATIENCE: Final = 5.0
"""Seconds that a transaction waits for what another one holds."""

TURN: Final = 30.0
"""Seconds that one who wants to be alone waits for the one before."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Tx:
    """A transaction: its connection, and the database's time at its start. `work_is_due` says that it leaves
    something to be sent at once, so that its commit wakes the workers that listen; `telling_is_due`, that endpoints
    have something to be told."""

    connection: Connection
    now: datetime
    work_is_due: bool = False
    telling_is_due: bool = False

    def wake_workers(self) -> None:
        self.work_is_due = True

    def wake_couriers(self) -> None:
        self.telling_is_due = True


class Blocked(Unavailable):
    """Another transaction held what this one needed (a lock, an idempotency key in flight), for longer than this one
    was told to wait. It was rolled back, and may be tried again."""


class Database(Protocol):
    """Where transactions run. A function given to `write` may run again only if it was rolled back.

    `write` waits `patience` seconds for locks before it raises Blocked. Whatever else keeps the database from
    answering is Unavailable; it heals without help once the cause is gone.
    """

    async def write(self, work: Callable[[Tx], T], patience: float = PATIENCE) -> T: ...
    async def read(self, work: Callable[[Tx], T]) -> T: ...
    async def migrate(self, work: Callable[[Connection], None]) -> None: ...
    def listen(
        self, work: Callable[[], None], telling: Callable[[], None] = lambda: None
    ) -> AbstractAsyncContextManager[None]:
        """While entered, calls `work` when a commit of another process made mail due, and `telling` when one of any
        process gave endpoints something to be told. It may miss one (then polling finds it), and may call without
        cause."""

    def alone(self) -> AbstractAsyncContextManager[None]:
        """While entered, nobody else enters, in any process on this database. Waits `TURN` seconds at most, then
        raises Blocked. Transactions run within it as they always do."""

    async def close(self) -> None: ...


def unavailable(reason: str) -> Unavailable:
    return Unavailable(f"the database cannot be used now: {(reason.splitlines() or ['no reason given'])[0]}")


def storage_full() -> Unavailable:
    return Unavailable("the disk of the database is full", retry_after=10.0, code="storage_full")


def schema_outdated() -> Unavailable:
    return Unavailable(
        "the tables of the database are older than this program: run `notifier db upgrade`",
        retry_after=10.0,
        code="schema_outdated",
    )
