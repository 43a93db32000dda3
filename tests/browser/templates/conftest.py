"""One service and one admin for all tests of a module: each test has templates of its own in it."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Page, expect

from notifier.domain.admin import Role
from notifier.web.admin.sessions import new_link
from tests.acceptance.conftest import House, start_house
from tests.browser.conftest import GREETING, Open

MAIL = "#frame iframe:first-child"
"""Where the editor shows the mail."""
Made = Callable[..., Awaitable[str]]


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A module's SETTINGS, where it has any, are the house's."""
    async with AsyncExitStack() as stack:
        settings = getattr(request.module, "SETTINGS", {})
        yield await start_house(stack, tmp_path_factory.mktemp("house"), {"NOTIFIER_RETRY_FIRST": "1s", **settings})


@pytest.fixture
async def sign_in(house: House, open_page: Open) -> Open:
    """Opens a page of somebody who is signed in already, as an admin unless said otherwise."""

    async def make(scheme: str = "light", *, quiet: bool = True, role: Role = "admin") -> Page:
        office = house.service.office
        link = await new_link(office.store, office, await office.store.add_user(f"{role}@example.com", role))
        async with house.browser() as client:
            assert (await client.post(link)).status_code == 303
            cookie = client.cookies["notifier_session"]
        page = await open_page(scheme, quiet=quiet)
        await page.context.add_cookies([{"name": "notifier_session", "value": cookie, "url": house.url}])
        return page

    return make


@pytest.fixture
async def made(house: House) -> Made:
    """Saves a template of the test's own, published, and answers its name."""

    async def make(**parts: str) -> str:
        name = f"t{uuid.uuid4().hex[:8]}"
        body: dict[str, Any] = {**GREETING, "parts": parts or GREETING["parts"]}
        answer = await house.http.put(f"/v1/templates/{name}", params={"publish": "true"}, json=body)
        assert answer.status_code == 200, answer.text
        return name

    return make


async def edit(page: Page, name: str) -> None:
    """Opens the editor, once its preview is there."""
    await page.goto(f"/admin/templates/{name}")
    await expect(page.locator("#subject")).not_to_be_empty()


async def write(page: Page, text: str, tab: str = "body.html") -> None:
    """Puts a text in place of a part's, as if pasted."""
    await page.get_by_role("tab", name=tab, exact=True).click()
    await page.locator(".cm-content").click()
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Delete")  # over coloured words, Chromium would keep their style for what is typed
    await page.keyboard.insert_text(text)


async def source(page: Page) -> str:
    """What stands in the part that is open."""
    text: str = await page.evaluate("[...document.querySelectorAll('.cm-line')].map(l => l.textContent).join('\\n')")
    return text
