"""Running what is asynchronous from a command, on the settings of this machine."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifier.store.store import Store


def run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(work)


def with_store(work: "Callable[[Store], Awaitable[None]]") -> None:
    """Runs `work` on the database of the settings, whose schema is current. Raises ConfigurationError where it is not,
    or where another process has the database for itself."""
    from notifier.app.storage import open_store, prepare
    from notifier.settings import read_settings
    from notifier.telemetry import configure_logging

    settings = read_settings()
    configure_logging("warning", settings.log_format)

    async def working() -> None:
        async with open_store(settings) as store:
            await prepare(store, settings)
            await work(store)

    run(working())
