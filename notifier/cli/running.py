"""Running what is asynchronous from a command, on the settings of this machine."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from notifier.app import Roles, Service
from notifier.settings import Settings
from notifier.telemetry import configure_logging


def run(work: Coroutine[Any, Any, None]) -> None:
    uvloop.run(work)


def with_service(settings: Settings, work: Callable[[Service], Awaitable[None]]) -> None:
    """Runs `work` on the database, without a dispatcher and without listening. Raises ConfigurationError where another
    process has the database for itself."""
    configure_logging("warning", settings.log_format)

    async def working() -> None:
        async with Service(settings, Roles(api=False, worker=False)) as service:
            await work(service)

    run(working())
