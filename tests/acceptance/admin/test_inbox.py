"""Who reads what a service captured in place of sending it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2 as httpx
import pytest

from notifier.app.service import Service
from notifier.domain.key import Scope, new_key
from notifier.settings import Settings
from notifier.web.admin.sessions import new_link
from tests.acceptance.admin.conftest import PASSWORD


@pytest.fixture
async def suppressed(tmp_path: Path) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
    """A service that captures by its settings, and a client that nobody is signed in with."""
    given = {
        "NOTIFIER_DATABASE_URL": f"sqlite:///{tmp_path}/n.db",
        "NOTIFIER_ADMIN_PASSWORD": PASSWORD,
        "SUPPRESS_SEND": "1",
    }
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(Service(Settings.model_validate(given)))
        transport = httpx.ASGITransport(app=service.application())
        manners = {"sec-fetch-site": "same-origin"}
        client = httpx.AsyncClient(transport=transport, base_url="http://notifier.test", headers=manners)
        yield service, await stack.enter_async_context(client)


async def _key(service: Service, *scopes: Scope) -> dict[str, str]:
    key, secret = new_key("of the inbox", scopes=scopes)
    await service.store.add_key(key)
    return {"authorization": f"Bearer {secret}"}


async def test_nobody_reads_what_was_captured_without_signing_in(
    suppressed: tuple[Service, httpx.AsyncClient],
) -> None:
    _, client = suppressed
    for path in ("/inbox/", "/inbox/messages/1", "/inbox/events", "/inbox/static/inbox.css"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/admin/sign-in"), path
    for method, path in (("GET", "messages"), ("DELETE", "messages"), ("GET", "faults"), ("POST", "faults")):
        answer = await client.request(method, f"/inbox/api/{path}")
        assert answer.status_code == 401, path
        assert answer.headers["content-type"] == "application/problem+json"
    await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
    assert (await client.get("/inbox/")).status_code == 200
    assert (await client.get("/inbox/api/messages")).status_code == 200
    assert (await client.delete("/inbox/api/messages")).status_code == 200


async def test_a_key_that_may_read_looks_and_one_of_an_admin_changes(
    suppressed: tuple[Service, httpx.AsyncClient],
) -> None:
    service, client = suppressed
    expected = {("send",): (403, 403), ("read",): (200, 403), ("admin",): (200, 200)}
    for scopes, answers in expected.items():
        headers = await _key(service, *scopes)  # type: ignore[arg-type]
        looked = await client.get("/inbox/api/messages", headers=headers)
        changed = await client.delete("/inbox/api/messages", headers=headers)
        assert (looked.status_code, changed.status_code) == answers, scopes
        assert (await client.get("/inbox/", headers=headers)).status_code == 303
    forged = {"authorization": "Bearer ntf_live_made-up"}
    assert (await client.get("/inbox/api/messages", headers=forged)).status_code == 401


async def test_who_may_only_look_deletes_nothing(suppressed: tuple[Service, httpx.AsyncClient]) -> None:
    service, client = suppressed
    store = service.office.store
    await client.post(await new_link(store, service.office, await store.add_user("mei", "viewer")))
    assert (await client.get("/inbox/")).status_code == 200
    assert (await client.post("/inbox/delete")).status_code == 403
