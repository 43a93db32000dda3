"""The store that the settings name: what a service starts from, and all that some commands need of one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from notifier.domain.errors import ConfigurationError
from notifier.settings import Settings
from notifier.store.engine import open_database
from notifier.store.store import Store


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Closed at the end. Whether it answers and its schema is current is not asked yet (`prepare` does)."""
    store = Store(open_database(settings.database_url))
    try:
        yield store
    finally:
        await store.close()


async def prepare(store: Store, settings: Settings) -> None:
    """SQLite, which is this process's alone, is brought to the schema of this version; PostgreSQL has to have it.

    Raises ConfigurationError where it has not, or where another process has the SQLite file for itself; Unavailable.
    """
    if settings.is_sqlite:
        await store.migrate()
    elif not await store.is_ready():
        raise ConfigurationError("the database's schema is not this version's: run `notifier db upgrade` first")
