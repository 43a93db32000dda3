"""`notifier demo`: the whole service in one process, with everything that it sends captured in a built-in inbox."""

import asyncio
import json
import shlex
import tempfile
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
from watchfiles import awatch

from notifier.app.service import Service
from notifier.app.templates import shipped_templates
from notifier.capture.server import Capture
from notifier.domain.errors import ConfigurationError
from notifier.domain.key import new_secret
from notifier.server import bind, listen, url_of
from notifier.settings import Settings, read_settings
from notifier.telemetry import configure_logging
from notifier.templating.pool import is_shared
from notifier.web.admin.office import BASE

SAMPLE = "order-confirmation"
SHOWN = "welcome"


async def run_demo(
    host: str, port: int, smtp_port: int, templates: Path | None, *, sample: bool, open_browser: bool
) -> None:
    """Runs until it is interrupted; leaves nothing behind."""
    configure_logging("warning", "text")
    folder = templates or shipped_templates()
    if not folder.is_dir():
        raise ConfigurationError(f"--templates {folder}: there is no such folder; `notifier templates new` makes one")
    listening = bind(host, port, or_any=True)
    with tempfile.TemporaryDirectory(prefix="notifier-demo-") as home:
        given = read_settings().api_key  # who tests against a demo wants to know its key beforehand
        secret = given.get_secret_value() if given is not None else new_secret("live")
        settings = _settings(Path(home), folder, secret)
        async with _captured(host, smtp_port) as capture, Service(settings, capture=capture) as service:
            await service.sync_templates(folder, always_publish=True)
            url = url_of(listening)
            posting: list[asyncio.Task[None]] = []
            watching = asyncio.create_task(_watch(service, folder))
            shown, sent = await _body(service, SHOWN), await _body(service, SAMPLE)
            pages = url + (await service.admin_link() or BASE)

            def started() -> None:
                _banner(url, pages, capture, secret, folder, shown)
                if sample and sent is not None:
                    posting.append(asyncio.create_task(_send_sample(url, secret, sent)))
                if open_browser:
                    webbrowser.open(f"{url}/inbox")

            def stopping() -> None:
                watching.cancel()
                service.drain()

            await listen(service.application(), listening, started=started, stopping=stopping)


def _settings(home: Path, folder: Path, secret: str) -> Settings:
    return read_settings(
        {
            "NOTIFIER_DATABASE_URL": f"sqlite:///{home / 'demo.db'}",
            "NOTIFIER_TEMPLATES_DIR": folder,
            "NOTIFIER_API_KEY": secret,
            "NOTIFIER_RETRY_FIRST": "2s",
            "MAIL_FROM": "hello@notifier.example",
            "MAIL_FROM_NAME": "notifier demo",
        }
    )


@asynccontextmanager
async def _captured(host: str, port: int) -> AsyncIterator[Capture]:
    """The capture server on this port, or on a free one where it is busy."""
    capture = Capture(host, port)
    try:
        await capture.start()
    except OSError:
        capture = Capture(host, 0)
        await capture.start()
    try:
        yield capture
    finally:
        await capture.stop()


async def _watch(service: Service, folder: Path) -> None:
    """Reads the folder again whenever something in it is saved, and says what is wrong in it."""
    with suppress(asyncio.CancelledError):
        async for _ in awatch(folder):
            synced = await service.sync_templates(folder, always_publish=True)
            for name in synced.published:
                print(f"  read again: {name}", flush=True)


async def _body(service: Service, preferred: str) -> dict[str, Any] | None:
    """A request that is taken: of this template, or of the first one that there is, with its sample."""
    published = [name for name in await service.library.published() if not is_shared(name)]
    name = preferred if preferred in published else min(published, default=None)
    if name is None:
        return None
    sample = (await service.library.resolve(name, None)).template.samples.get("default", {})
    return {"template": name, "to": "Zoë <zoe@example.com>", "data": sample}


async def _send_sample(url: str, secret: str, body: dict[str, Any]) -> None:
    """A mail through the real path: posted, accepted, stored, rendered, sent, recorded."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        await client.post("/v1/notifications", json=body, headers={"Authorization": f"Bearer {secret}"})


def _banner(url: str, pages: str, capture: Capture, secret: str, folder: Path, shown: dict[str, Any] | None) -> None:
    # Before there is a template: what a request to one will look like.
    body = shown or {"template": "NAME", "to": "Zoë <zoe@example.com>", "data": {}}
    print(
        f"""
  notifier demo                captured: nothing leaves this machine

  inbox      {url}/inbox
  admin      {pages}  (signs you in, once)
  API docs   {url}/docs
  SMTP       {capture.host}:{capture.port} (captured too)
  templates  {folder}  (read again when you save)

  Send one more:

curl {url}/v1/notifications \\
  -H 'Authorization: Bearer {secret}' \\
  -H 'Content-Type: application/json' \\
  -d {shlex.quote(json.dumps(body, ensure_ascii=False))}

  Ctrl-C ends it and leaves nothing behind.
""",
        flush=True,
    )
