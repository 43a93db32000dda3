"""A real Chromium on a whole service. Every page is watched: what leaves the origin or complains fails the test."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, async_playwright, expect

from tests.acceptance.conftest import House, MakeHouse, make_house

__all__ = ["House", "MakeHouse", "make_house"]

PASSWORD = "correct-horse-battery"
MISSING = "Chromium is missing: apt-get install chromium"

PATIENCE = 30_000
"""Milliseconds that a page may take for anything: the machine may be busy with other tests."""
expect.set_options(timeout=PATIENCE)

Open = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip(MISSING)
    args = ["--disable-background-networking", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=args)
        yield browser
        await browser.close()


GREETING: Mapping[str, Any] = {
    "parts": {
        "subject.txt": "Hello {{ name }}",
        "body.html": "<p>Dear {{ name }}, your code is {{ code }}.</p>\n",
        "locales/fr/subject.txt": "Bonjour {{ name }}",
        "locales/fr/body.html": "<p>Bonjour {{ name }}, votre code est {{ code }}.</p>\n",
    },
    "samples": {"default": {"name": "Zoë", "code": "42"}},
}


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    """With a published template, `greeting`, for the editor; webhooks may be on this machine."""
    house = await make_house(
        NOTIFIER_ADMIN_PASSWORD=PASSWORD,
        NOTIFIER_RETRY_FIRST="1s",
        NOTIFIER_WEBHOOKS_ALLOW_HTTP=True,
        NOTIFIER_WEBHOOKS_ALLOW_NETWORKS="127.0.0.0/8",
    )
    answer = await house.http.put("/v1/templates/greeting", params={"publish": "true"}, json=GREETING)
    assert answer.status_code == 200, answer.text
    return house


@pytest.fixture
async def open_page(browser: Browser, house: House) -> AsyncIterator[Open]:
    """Opens a page as a person of its own. `quiet=False`: the test expects complaints on its console."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:

        async def make(scheme: str = "light", *, quiet: bool = True) -> Page:
            context = await browser.new_context(color_scheme=scheme, base_url=house.url)  # type: ignore[arg-type]
            stack.push_async_callback(context.close)
            page = await context.new_page()
            page.set_default_timeout(PATIENCE)

            def went_out(request: Request) -> None:
                asked = urlsplit(request.url)
                ours = asked.netloc == urlsplit(house.url).netloc or asked.scheme not in ("http", "https", "ws", "wss")
                if not ours and request.failure != "csp":  # told of, and never sent
                    complaints.append(f"asked {request.url}")

            def said(message: ConsoleMessage) -> None:
                if message.type in ("error", "warning") and quiet:
                    complaints.append(f"console: {message.text}")

            def broke(error: Error) -> None:
                complaints.append(f"script: {error}")

            context.on("requestfinished", went_out)
            context.on("requestfailed", went_out)
            page.on("console", said)
            page.on("pageerror", broke)
            return page

        yield make
        await asyncio.sleep(0)  # what the browser has said is heard
    assert not complaints


@pytest.fixture
async def sign_in(open_page: Open) -> Open:
    """Opens a page on which the admin is signed in."""

    async def make(scheme: str = "light", *, quiet: bool = True) -> Page:
        page = await open_page(scheme, quiet=quiet)
        await page.goto("/admin/")
        await page.get_by_label("Name").fill("admin")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        return page

    return make
