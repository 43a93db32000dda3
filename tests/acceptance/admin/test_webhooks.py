"""Webhooks, on pages."""

import asyncio
import re
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from notifier.web.admin.sessions import new_link
from tests.acceptance.admin.conftest import PASSWORD, Visit
from tests.acceptance.conftest import House, MakeHouse
from tests.acceptance.feedback.conftest import OPEN, Endpoint, answered, endpoint

__all__ = ["endpoint"]


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(NOTIFIER_ADMIN_PASSWORD=PASSWORD, **OPEN)


@pytest.fixture
async def made(house: House, visit: Visit, endpoint: Endpoint) -> tuple[Any, str, str]:
    """An admin's client, the path of a webhook of theirs, and its secret."""
    client = await visit("admin")
    answer = await client.post("/admin/webhooks", data={"url": endpoint.url, "type": "email.sent"})
    assert answer.status_code == 200, answer.text
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", answer.text)
    (hook,) = await house.service.store.webhooks("default")
    assert secret is not None
    return client, f"/admin/webhooks/{hook.id}", secret[0]


async def test_the_secret_is_shown_once_and_signs_what_is_told(
    house: House, made: tuple[Any, str, str], endpoint: Endpoint
) -> None:
    client, path, secret = made
    for page in (path, "/admin/webhooks", "/admin/audit"):
        assert secret not in (await client.get(page)).text
    assert endpoint.url in (await client.get("/admin/webhooks")).text
    await house.send()
    (one,) = await endpoint.until(1)
    assert Verifier(secret).verify(one.body, one.headers)["type"] == "email.sent"


async def test_a_test_is_sent_at_once_and_its_answer_shown(made: tuple[Any, str, str], endpoint: Endpoint) -> None:
    client, path, _ = made
    endpoint.answers = [answered(200, b"<b>pong</b>"), answered(500, b"out of order")]
    page = (await client.post(f"{path}/test")).text
    assert "It took the test: 200." in page
    assert "&lt;b&gt;pong&lt;/b&gt;" in page
    page = (await client.post(f"{path}/test")).text
    assert "It answered 500" in page
    assert "out of order" in page
    assert [one.json["type"] for one in endpoint.received] == ["webhook.test"] * 2


async def test_the_log_shows_the_first_kilobyte_of_an_answer_and_tells_once_more(
    house: House, made: tuple[Any, str, str], endpoint: Endpoint
) -> None:
    client, path, _ = made
    endpoint.answers = [answered(200, b"x" * 3000)]
    sent = await house.send()
    (first,) = await endpoint.until(1)
    async with asyncio.timeout(30):
        while "Once more" not in (page := (await client.get(path)).text):
            pass  # the answer is being written down
    assert sent["id"] in page
    assert "x" * 1024 in page
    assert "x" * 1025 not in page
    again = re.search(r'action="([^"]+/redeliver)"', page)
    assert again is not None
    assert (await client.post(again[1])).status_code == 303
    second = (await endpoint.until(2))[1]
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    assert (await client.post(f"{path}/deliveries/01990000-0000-7000-8000-000000000000/redeliver")).status_code == 404
    assert "Nothing like that" in (await client.get(f"{path}?state=failed")).text


async def test_it_is_switched_off_and_on_and_gets_a_new_secret(
    house: House, made: tuple[Any, str, str], endpoint: Endpoint
) -> None:
    client, path, secret = made
    assert (await client.post(f"{path}/enabled", data={"enabled": "no"})).status_code == 303
    assert "Off since" in (await client.get(path)).text
    (hook,) = await house.service.store.webhooks("default")
    assert hook.disabled_at is not None
    await client.post(f"{path}/enabled", data={"enabled": "yes"})
    assert "Off since" not in (await client.get(path)).text
    page = (await client.post(f"{path}/secret")).text
    new = re.search(r"whsec_[A-Za-z0-9+/=]+", page)
    assert new is not None
    assert new[0] != secret
    await client.post(f"{path}/test")
    (one,) = await endpoint.until(1)
    for signed_by in (new[0], secret):
        assert Verifier(signed_by).verify(one.body, one.headers)


async def test_it_is_removed_and_every_change_is_in_the_audit_log(house: House, made: tuple[Any, str, str]) -> None:
    client, path, _ = made
    await client.post(f"{path}/test")
    await client.post(f"{path}/enabled", data={"enabled": "no"})
    await client.post(f"{path}/remove")
    assert await house.service.store.webhooks("default") == []
    assert (await client.get(path)).status_code == 404
    entries = await house.service.office.store.audit_page(None, 100)
    told = [one.action for one in entries if one.action.startswith("webhook.")]
    assert told == ["webhook.remove", "webhook.disable", "webhook.test", "webhook.create"]


async def test_what_cannot_be_an_endpoint_is_said_and_what_was_written_stays(house: House, visit: Visit) -> None:
    client = await visit("admin")
    form = {"url": "https://user@example.com/x", "type": ["email.sent", "email.failed"], "templates": "welcome, hello"}
    answer = await client.post("/admin/webhooks", data=form)
    assert answer.status_code == 422
    assert "url must have no user" in answer.text
    assert 'value="https://user@example.com/x"' in answer.text
    assert 'value="welcome hello"' in answer.text
    assert answer.text.count(" checked") == 2
    assert (await client.post("/admin/webhooks", data={"url": "https://x.test/", "type": "no.such"})).status_code == 422
    assert await house.service.store.webhooks("default") == []


async def test_webhooks_are_for_admins(house: House, visit: Visit) -> None:
    office = house.service.office
    client = await visit()
    await client.post(await new_link(office.store, office, await office.store.add_user("mei", "editor")))
    assert (await client.get("/admin/webhooks")).status_code == 403
    assert (await client.post("/admin/webhooks", data={"url": "https://x.test/"})).status_code == 403
