"""Running what is asynchronous from a command, on the settings of this machine."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifier.app import Service


def run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(work)


def with_service(work: "Callable[[Service], Awaitable[None]]") -> None:
    """Runs `work` on the database, without a dispatcher and without listening. Raises ConfigurationError where another
    process has the database for itself."""
    from notifier.app import Roles, Service
    from notifier.settings import read_settings
    from notifier.telemetry import configure_logging

    settings = read_settings()
    configure_logging("warning", settings.log_format)

    async def working() -> None:
        async with Service(settings, Roles(api=False, worker=False)) as service:
            await work(service)

    run(working())
