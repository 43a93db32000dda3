"""A whole service behind a real socket, its mail captured: what the acceptance tests speak to."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

from notifier.app.service import Service
from notifier.app.templates import shipped_templates
from notifier.capture.server import Capture
from notifier.domain.key import Key, new_key
from notifier.server import LimitedHttp
from notifier.settings import Settings

TEMPLATES: Mapping[str, str] = {
    "hello/subject.txt": "Hello {{ name }}",
    "hello/body.txt": "Dear {{ name }}, your code is {{ code }}.\n",
    "hello/body.html": "<p>Dear {{ name }}, your code is {{ code }}.</p>\n",
    "hello/locales/fr/subject.txt": "Bonjour {{ name }}",
    "careful/template.toml": 'on_unknown = "hold"\npriority = "high"\nexpires_after = "15m"\n',
    "careful/subject.txt": "Careful",
    "careful/body.txt": "Careful, {{ name }}.\n",
}


@dataclass(frozen=True)
class House:
    """A running service and who speaks to it."""

    service: Service
    capture: Capture
    url: str
    http: httpx.AsyncClient

    async def key(self, name: str = "another", **more: Any) -> tuple[Key, httpx.AsyncClient]:
        """A further key, and a client that uses it. The house closes it."""
        key, secret = new_key(name, **more)
        await self.service.store.add_key(key)
        return key, client_of(self.url, {"authorization": f"Bearer {secret}"})

    def browser(self) -> httpx.AsyncClient:
        """A client that asks as a page of the service's own does, and keeps cookies. Whoever asks for it closes it."""
        return client_of(self.url, {"sec-fetch-site": "same-origin"})

    async def send(self, **fields: Any) -> dict[str, Any]:
        """Posts a notification that must be taken."""
        body = {"template": "hello", "to": "zoe@example.com", "data": {"name": "Zoë", "code": "42"}, **fields}
        answer = await self.http.post("/v1/notifications", json=body)
        assert answer.status_code == 202, answer.text
        taken: dict[str, Any] = answer.json()
        return taken

    async def final(self, id_: str) -> dict[str, Any]:
        """Where it ended."""
        answer = await self.http.get(f"/v1/notifications/{id_}", params={"wait": 20})
        found: dict[str, Any] = answer.json()
        assert found["final"], found
        return found

    async def stop(self, scope: str = "all") -> None:
        """Stops what is meant to wait."""
        assert (await self.http.put(f"/v1/pauses/{scope}", json={"reason": "test"})).status_code == 200

    async def go_on(self, scope: str = "all") -> None:
        assert (await self.http.delete(f"/v1/pauses/{scope}")).status_code == 204


def client_of(url: str, headers: Mapping[str, str]) -> httpx.AsyncClient:
    """Without the world's certificates: reading them takes 30 ms, and nothing here speaks TLS."""
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=30, verify=False)


MakeHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def make_house(tmp_path: Path) -> AsyncIterator[MakeHouse]:
    """Starts houses with settings of their own; what is not given is as in production, and SQLite."""
    async with AsyncExitStack() as stack:

        async def make(**settings: Any) -> House:
            return await start_house(stack, tmp_path, settings)

        yield make


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house()


async def start_house(stack: AsyncExitStack, folder: Path, given: Mapping[str, Any]) -> House:
    capture = await stack.enter_async_context(Capture())
    given = {"NOTIFIER_DATABASE_URL": f"sqlite:///{folder}/notifier.db", "MAIL_FROM": "shop@example.com", **given}
    service = Service(Settings.model_validate(given), capture=capture)
    if not service.settings.is_sqlite:
        await service.store.migrate()
    await stack.enter_async_context(service)
    templates = folder / "templates"
    for path, text in TEMPLATES.items():
        (templates / path).parent.mkdir(parents=True, exist_ok=True)
        (templates / path).write_text(text, "utf-8")
    await service.sync_templates(shipped_templates())
    synced = await service.sync_templates(templates)
    assert not synced.broken, synced
    key, secret = new_key("acceptance")
    await service.store.add_key(key)
    url = await _listen(stack, service)
    client = client_of(url, {"authorization": f"Bearer {secret}"})
    await stack.enter_async_context(client)
    return House(service, capture, url, client)


async def _listen(stack: AsyncExitStack, service: Service) -> str:
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio leaves Nagle on: 40 ms an answer
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        service.application(), http=LimitedHttp, lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listening]))  # serve() would take the signals of the test run
    listening.listen(128)

    async def stop() -> None:
        server.should_exit = True
        await serving

    stack.push_async_callback(stop)
    return "http://{}:{}".format(*listening.getsockname())
