"""The real service as a process of its own, whose clock a test can move.

Started by `notifier.testing.server` as ``python -m notifier.testing.process``. It is led over its standard input: the
first line is JSON with the settings, each further one an order; the end of the input (the test process is gone) ends
it. Every answer is a line of JSON on standard output. Nothing of this can be reached over the network or switched on by
a setting.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop

from notifier.app.service import Service
from notifier.app.templates import shipped_templates
from notifier.domain.errors import NotifierError
from notifier.server import bind, listen, url_of
from notifier.settings import Settings, read_settings
from notifier.telemetry import configure_logging


class MovableClock:
    """The time, and what a test added to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def settings_of(asked: Mapping[str, Any]) -> Settings:
    """What was asked, and the defaults for the rest: the developer's own environment and `.env` have no say."""
    defaults = {str(field.alias): field.get_default() for field in Settings.model_fields.values()}
    return read_settings({**defaults, **asked})


async def serve(asked: Mapping[str, Any], orders: asyncio.StreamReader) -> None:
    """Runs the service until the orders end. `asked` has ``settings`` (by environment name) and
    ``templates``, a folder (null: those that come with notifier)."""
    settings = settings_of(asked["settings"])
    configure_logging(settings.log_level, "text")
    folder = Path(asked["templates"]) if asked["templates"] else shipped_templates()
    clock = MovableClock()
    listening = bind("127.0.0.1", 0)
    async with Service(settings, clock=clock) as service:
        synced = await service.sync_templates(folder, always_publish=True)
        broken = {name: [f"{fault.field}: {fault.message}" for fault in found] for name, found in synced.broken.items()}
        leading = asyncio.create_task(_lead(service, clock, orders))

        def stopping() -> None:
            leading.cancel()
            service.drain()

        await listen(
            service.application(),
            listening,
            started=lambda: _tell({"url": url_of(listening), "broken": broken}),
            stopping=stopping,
        )


async def _lead(service: Service, clock: MovableClock, orders: asyncio.StreamReader) -> None:
    """Follows orders until there are no more."""
    while line := await orders.readline():
        clock.ahead += timedelta(seconds=json.loads(line)["advance"])
        # What a running service does by and by, at once: what expired meanwhile, and what is due now.
        await service.store.expire()
        service.watch.notice()
        service.wake()
        _tell({"now": clock().isoformat()})
    signal.raise_signal(signal.SIGTERM)


def _tell(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


async def _main() -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    try:
        if first := await orders.readline():
            await serve(json.loads(first), orders)
    except NotifierError as error:
        _tell({"error": str(error)})


if __name__ == "__main__":
    uvloop.run(_main())
