"""The two databases, behind one door: `write` and `read` run a function of a transaction and commit it.

What differs between SQLite and PostgreSQL is in `sqlite.py`, `postgres.py` and `dialect.py`, and nowhere else.
"""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from notifier.domain.errors import ConfigurationError
from notifier.store.sqlite import SqliteDatabase
from notifier.store.transaction import Clock, Database, Tx, utc_now

__all__ = ["Clock", "Database", "Tx", "open_database", "utc_now"]


def open_database(url: str, *, clock: Clock = utc_now) -> Database:
    """The database that a URL names: ``sqlite:///file`` or ``postgresql://...``. Connects to nothing yet. `clock` is
    the time of SQLite alone; PostgreSQL has its own."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError("NOTIFIER_DATABASE_URL is not a database URL") from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database == ":memory:":
            raise ConfigurationError("NOTIFIER_DATABASE_URL names no file, and what is accepted has to be on a disk")
        case "sqlite":
            return SqliteDatabase(Path(parsed.database or "notifier.db"), clock=clock)
        case "postgresql" | "postgres":
            return _postgres(parsed)
        case other:
            raise ConfigurationError(f"NOTIFIER_DATABASE_URL starts with {other}://; sqlite:/// and postgresql:// work")


def _postgres(url: URL) -> Database:
    try:
        from notifier.store.postgres import PostgresDatabase  # its driver is an extra, which SQLite does not need
    except ImportError:
        raise ConfigurationError(
            "NOTIFIER_DATABASE_URL is PostgreSQL, which needs the extra: pip install 'notifier-service[postgres]'"
        ) from None
    return PostgresDatabase(url)
