"""PostgreSQL through asyncpg: the same statements, run under SQLAlchemy's greenlet bridge. The server does the locking,
keeps the time, and wakes the workers of all machines.

Settings go with each transaction (``set_config(..., true)``), never with the session, and LISTEN has a connection of
its own: so PgBouncer in transaction mode does, with ``?prepared_statement_cache_size=0`` where it cannot carry
prepared statements. Behind it nobody hears NOTIFY, and polling finds the work.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from notifier.domain.errors import ConfigurationError, NotifierError, Refused, Unavailable
from notifier.store.encoding import from_json, json_text
from notifier.store.transaction import PATIENCE, TURN, Blocked, Tx, schema_outdated, storage_full, unavailable

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECTIONS: Final = 8
CHANNEL: Final = "notifier_work"
TELLING_CHANNEL: Final = "notifier_telling"

_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = 30
_ANSWER_SECONDS = 60.0  # a server that says nothing at all any more
_IDLE_SECONDS = 15  # a process that was stopped in mid-transaction lets go of its locks
_HEARTBEAT_SECONDS = 30.0
_RECONNECT_SECONDS = 1.0
_MIGRATION_LOCK = 0x6E6F7469  # "noti"
_ALONE_LOCK = 0x74656D70  # "temp"


def _setting(name: str, value: Any) -> Any:
    is_local = True  # for this transaction alone
    return func.set_config(name, value, is_local)


_BEGIN = select(
    func.now(),
    _setting("lock_timeout", bindparam("patience")),
    _setting("statement_timeout", f"{_STATEMENT_SECONDS}s"),
    _setting("idle_in_transaction_session_timeout", f"{_IDLE_SECONDS}s"),
)
_NOTIFY = select(func.pg_notify(CHANNEL, ""))
_NOTIFY_TELLING = select(func.pg_notify(TELLING_CHANNEL, ""))


class PostgresDatabase:
    """A server. `pool_wait` is how many seconds a transaction waits for one of the connections."""

    def __init__(self, url: URL, *, connections: int = CONNECTIONS, pool_wait: float = 5.0) -> None:
        cached = url.query.get("prepared_statement_cache_size", "100")
        if not isinstance(cached, str) or not cached.isdecimal():
            raise ConfigurationError("NOTIFIER_DATABASE_URL: prepared_statement_cache_size is not a number")
        plain = url.difference_update_query(["prepared_statement_cache_size"]).set(drivername="postgresql")
        self._dsn = plain.render_as_string(hide_password=False)
        self._cached = int(cached)
        self._engine = self._create_engine(
            _ANSWER_SECONDS, pool_size=connections, max_overflow=0, pool_timeout=pool_wait
        )
        # One snapshot for all that a reader asks, so that a row on its way between two tables is seen exactly once.
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def _create_engine(self, answer_within: float | None, **pool: Any) -> AsyncEngine:
        async def connect(*_: Any, **__: Any) -> Any:
            return await self._connect(command_timeout=answer_within)

        driver = {"async_creator_fn": connect, "prepared_statement_cache_size": self._cached}
        if not self._cached:
            driver["prepared_statement_name_func"] = str  # the empty name: nothing stays on the server
        return create_async_engine(
            "postgresql+asyncpg://", connect_args=driver, json_serializer=json_text, json_deserializer=from_json, **pool
        )

    async def _connect(self, **more: Any) -> Any:
        # asyncpg reads the URL itself, and so takes all that libpq's URLs can say (sslmode, several hosts).
        try:
            return await asyncpg.connect(self._dsn, timeout=_CONNECT_SECONDS, statement_cache_size=self._cached, **more)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise unavailable(str(error) or type(error).__name__) from error

    async def write(self, work: Callable[[Tx], T], patience: float = PATIENCE) -> T:
        return await self._run(self._engine, work, patience)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._run(self._snapshots, work, PATIENCE)

    async def migrate(self, work: Callable[[Connection], None]) -> None:
        def locked(connection: Connection) -> None:
            # Held to the end of the transaction: several that start at once migrate one after the other.
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            # A change that cannot have its lock gives up: whoever waits for one makes all others wait behind it.
            connection.execute(select(_setting("lock_timeout", f"{PATIENCE:g}s")))
            work(connection)

        engine = self._create_engine(None, poolclass=NullPool)
        with _translating():
            async with engine.begin() as connection:
                await connection.run_sync(locked)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        # A transaction of its own, so that PgBouncer keeps it on one server connection; it lasts as long as the work.
        connection = await self._connect(command_timeout=TURN + PATIENCE)
        try:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(
                f"SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '{TURN:g}s'"
            )
            await connection.execute(f"SELECT pg_advisory_xact_lock({_ALONE_LOCK})")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            connection.terminate()
            raise Blocked(f"somebody else is changing this; try again: {error}") from error
        try:
            yield
        finally:
            connection.terminate()  # which ends the transaction, and with it the lock

    async def close(self) -> None:
        await self._engine.dispose()

    async def _run(self, engine: AsyncEngine, work: Callable[[Tx], T], patience: float) -> T:
        begun = False

        def in_transaction(connection: Connection) -> T:
            nonlocal begun
            tx = Tx(connection, connection.execute(_BEGIN, {"patience": f"{patience * 1000:.0f}ms"}).scalar_one())
            begun = True
            result = work(tx)
            if tx.work_is_due:
                connection.execute(_NOTIFY)
            if tx.telling_is_due:
                connection.execute(_NOTIFY_TELLING)
            return result

        async def run() -> T:
            async with engine.begin() as connection:
                return await connection.run_sync(in_transaction)

        with _translating():
            try:
                return await run()
            except DBAPIError as error:
                if begun or not error.connection_invalidated:
                    raise
            # The server had closed this connection while it lay in the pool, and the pool is renewed by now.
            return await run()

    @asynccontextmanager
    async def listen(self, work: Callable[[], None], telling: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        channels = {CHANNEL: work, TELLING_CHANNEL: telling}
        task = asyncio.create_task(self._keep_listening(channels), name="postgres-listener")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep_listening(self, channels: Mapping[str, Callable[[], None]]) -> None:
        while True:
            try:
                await self._listen_once(channels)
            except (Unavailable, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("not listening for work now: %s", error)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen_once(self, channels: Mapping[str, Callable[[], None]]) -> None:
        """Returns or raises when the connection is gone."""
        connection = await self._connect()
        try:
            gone = asyncio.Event()
            connection.add_termination_listener(lambda _: gone.set())
            for channel in channels:
                await connection.add_listener(channel, lambda _connection, _pid, heard, _said: channels[heard]())
            for callback in channels.values():
                callback()  # for what was announced while nobody listened
            while not gone.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        await gone.wait()
                if not gone.is_set():
                    await connection.execute("SELECT 1", timeout=_CONNECT_SECONDS)
        finally:
            connection.terminate()


@contextmanager
def _translating() -> Iterator[None]:
    """Turns what asyncpg and the pool raise into ours."""
    try:
        yield
    except DBAPIError as error:
        if (ours := _translated(error)) is None:
            raise
        raise ours from error
    except PoolExhausted as error:
        raise unavailable("all its connections are busy") from error
    except (OSError, TimeoutError) as error:
        raise unavailable(str(error) or type(error).__name__) from error


def _translated(error: DBAPIError) -> NotifierError | None:
    """By SQLSTATE (PostgreSQL, appendix A). None for what is a defect of ours."""
    reason = str(error.orig)
    match str(getattr(error.orig, "sqlstate", None) or ""):
        case "55P03" | "40P01" | "40001":  # no lock in time, deadlock, serialisation
            return Blocked(f"another transaction is in the way: {reason}")
        case "53100":
            return storage_full()
        case "42P01" | "42703":  # no such table, no such column
            return schema_outdated()
        case "22021" | "22P05":  # NUL, which no text of PostgreSQL's can hold
            return Refused("this has a character that the database cannot hold, such as NUL (U+0000)")
        case "26000" | "42P05":  # a prepared statement that is not there, or is there already
            return unavailable(
                "prepared statements do not reach the server they were made on; behind PgBouncer in transaction mode, "
                "add ?prepared_statement_cache_size=0 to NOTIFIER_DATABASE_URL"
            )
        case "25006" | "25P03" | "57014":  # a standby, idle in a transaction, statement time-out
            return unavailable(reason)
        case state if error.connection_invalidated or state.startswith(("08", "53", "57P")):
            return unavailable(reason)
        case _:
            return None
