"""`notifier serve`, `api` and `worker`: a service, its web application, and what happens at a signal."""

import sys

from notifier.app.service import Roles, Service
from notifier.app.templates import templates_folder
from notifier.domain.errors import ConfigurationError
from notifier.domain.key import new_key
from notifier.server import bind, listen, url_of
from notifier.settings import Settings


async def run_service(settings: Settings, roles: Roles, host: str, port: int) -> None:
    """Runs until SIGTERM or SIGINT, and then drains."""
    service = Service(settings, roles)
    listening = bind(host, port)
    async with service:
        log = service.telemetry.log
        if roles.api:
            await _ensure_key(service)
        if roles.api and roles.worker:
            await service.sync_templates(templates_folder(settings))
        where = url_of(listening)

        def stopping() -> None:
            log.info("draining")
            service.drain()

        link = await _admin_link(service) if roles.api else None

        def started() -> None:
            log.info("listening", url=where)
            if link is not None:
                print(f"\nSign in to the pages, once, with:\n\n    {where}{link}\n", file=sys.stderr)

        await listen(service.application(), listening, started=started, stopping=stopping)
    log.info("stopped")


async def _ensure_key(service: Service) -> None:
    """Somebody has to be able to call: the bootstrap key, one made before, or one made and shown here."""
    if any(key.revoked_at is None for key in await service.store.keys()):
        return
    if not sys.stderr.isatty():
        raise ConfigurationError(
            "there is no API key: set NOTIFIER_API_KEY, or make one with `notifier keys create NAME`"
        )
    key, secret = new_key("first")
    await service.store.add_key(key)
    print(f"\nA first API key, shown this once:\n\n    {secret}\n", file=sys.stderr)


async def _admin_link(service: Service) -> str | None:
    """The first admin's way in, where somebody looks at a terminal; a log is read by others, too."""
    return await service.admin_link() if sys.stderr.isatty() else None
