"""SQLite: one file, one writing connection in one thread of its own (the WAL-reset corruption of SQLite before 3.51.3
needs two), ``synchronous=FULL``: a commit that has returned is on the disk. A lock file keeps a second process out."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from notifier.domain.errors import ConfigurationError
from notifier.store.encoding import from_json, json_text
from notifier.store.transaction import (
    PATIENCE,
    TURN,
    Blocked,
    Clock,
    Tx,
    schema_outdated,
    storage_full,
    unavailable,
    utc_now,
)

T = TypeVar("T")


class SqliteDatabase:
    """One file. `clock` is the database's clock, so that tests can move it; `patience` the seconds to wait where
    somebody else (a shell, a backup) has locked the file."""

    def __init__(self, path: Path, *, clock: Clock = utc_now, patience: float = PATIENCE) -> None:
        self._path = path
        self._clock = clock
        self._patience = patience
        self._lock = _LockFile(path.with_name(path.name + "-lock"))
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="sqlite-reader")
        self._write_engine = self._engine("BEGIN IMMEDIATE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")
        self._read_engine = self._engine("BEGIN", "PRAGMA query_only=ON", "PRAGMA wal_autocheckpoint=0")
        self._alone = asyncio.Lock()
        self._telling: Callable[[], object] | None = None
        self._write_connection: Connection | None = None
        self._read_connection: Connection | None = None

    def _engine(self, begin: str, *pragmas: str) -> Engine:
        engine = create_engine(
            URL.create("sqlite", database=str(self._path)),
            poolclass=NullPool,
            connect_args={"check_same_thread": False, "isolation_level": None, "timeout": self._patience},
            json_serializer=json_text,
            json_deserializer=from_json,
        )

        @event.listens_for(engine, "connect")
        def _(connection: sqlite3.Connection, _record: Any) -> None:
            for pragma in (*pragmas, "PRAGMA temp_store=MEMORY", "PRAGMA cache_size=-16384"):
                connection.execute(pragma)

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    async def write(self, work: Callable[[Tx], T], patience: float = PATIENCE) -> T:  # noqa: ARG002 - one writer: nothing is held by another
        return await self._run(self._writer, self._write_now, work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._run(self._reader, self._read_now, work)

    async def migrate(self, work: Callable[[Connection], None]) -> None:
        await self.write(lambda tx: work(tx.connection))

    @asynccontextmanager
    async def listen(
        self, _work: Callable[[], None], telling: Callable[[], None] = lambda: None
    ) -> AsyncIterator[None]:
        """Nobody else can make work due here; whoever does in this process says so itself."""
        loop = asyncio.get_running_loop()
        self._telling = lambda: loop.call_soon_threadsafe(telling)
        try:
            yield
        finally:
            self._telling = None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(TURN):
                await self._alone.acquire()
        except TimeoutError:
            raise Blocked("somebody else is changing this; try again") from None
        try:
            yield
        finally:
            self._alone.release()

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._close_reader)
        await loop.run_in_executor(self._writer, self._close_writer)
        self._reader.shutdown()
        self._writer.shutdown()
        self._lock.release()

    async def _run(
        self, thread: ThreadPoolExecutor, run: Callable[[Callable[[Tx], T]], T], work: Callable[[Tx], T]
    ) -> T:
        # Shielded: a caller that goes away must not leave the thread's transaction without anybody to hear its end.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(thread, run, work))

    def _write_now(self, work: Callable[[Tx], T]) -> T:
        self._lock.take()
        try:
            if self._write_connection is None:
                self._write_connection = self._write_engine.connect()
            return self._in_transaction(self._write_connection, work)
        except DBAPIError as error:
            self._close_writer()
            raise _translated(error) from error

    def _read_now(self, work: Callable[[Tx], T]) -> T:
        try:
            if self._read_connection is None:
                self._read_connection = self._read_engine.connect()
            return self._in_transaction(self._read_connection, work)
        except DBAPIError as error:
            self._close_reader()
            raise _translated(error) from error

    def _in_transaction(self, connection: Connection, work: Callable[[Tx], T]) -> T:
        tx = Tx(connection, self._clock())
        with connection.begin():
            result = work(tx)
        if tx.telling_is_due and self._telling is not None:
            self._telling()
        return result

    def _close_writer(self) -> None:
        if self._write_connection is not None:
            with suppress(DBAPIError):
                self._write_connection.close()
            self._write_connection = None

    def _close_reader(self) -> None:
        if self._read_connection is not None:
            with suppress(DBAPIError):
                self._read_connection.close()
            self._read_connection = None


def _translated(error: DBAPIError) -> Exception:
    """Operational errors are the file's trouble (full, locked, gone); anything else is a defect of ours."""
    cause = error.orig
    if not isinstance(cause, sqlite3.OperationalError):
        return error
    match cause.sqlite_errorcode & 0xFF:  # the primary result code
        case sqlite3.SQLITE_FULL:
            return storage_full()
        case sqlite3.SQLITE_ERROR if "no such" in str(cause) or "has no column" in str(cause):
            return schema_outdated()
        case sqlite3.SQLITE_ERROR:
            return error
        case _:
            return unavailable(str(cause))


class _LockFile:
    """Keeps a second process out of a SQLite file: ``flock`` on a file beside it, gone with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> None:
        if self._file is not None:
            return
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigurationError(
                f"NOTIFIER_DATABASE_URL: {self._path.parent} cannot be written to: {error.strerror}"
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise ConfigurationError(
                f"{self._path.name.removesuffix('-lock')} is in use by another notifier process (pid {holder}); "
                "speak to it over HTTP, or stop it first"
            ) from None
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
