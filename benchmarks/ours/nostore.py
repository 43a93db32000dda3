"""The front door with nothing behind it: the same endpoint, authentication, validation and render, and no store (what
is left of the service runs beside it, and has nothing to do): `python -m benchmarks.ours.nostore PORT`, with the
settings of the service in the environment."""

import sys

import uvloop

from benchmarks.message import TEMPLATES
from notifier.app.service import Service
from notifier.domain.acceptance import Acceptance, Receipt
from notifier.server import bind, listen
from notifier.settings import read_settings
from notifier.telemetry import configure_logging


async def accept(asked: Acceptance) -> Receipt:
    """What the store answers, without storing."""
    notifications = [new.notification for new in asked.news]
    return Receipt([one.id for one in notifications], notifications)


async def serve(port: int) -> None:
    settings = read_settings()
    configure_logging(settings.log_level, settings.log_format)
    async with Service(settings) as service:
        await service.sync_templates(TEMPLATES)
        service.store.accept = accept  # type: ignore[assignment]
        await listen(service.application(), bind("127.0.0.1", port), started=lambda: None, stopping=lambda: None)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
