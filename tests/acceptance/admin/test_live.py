"""Open pages are told when to look again, and none holds up the end."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2 as httpx

from notifier.capture.server import Capture
from tests.acceptance.admin.conftest import PASSWORD, Visit
from tests.acceptance.conftest import House
from tests.support.process import Serve


async def _stream_of(client: httpx.AsyncClient, page: str) -> str:
    """Where a page listens."""
    answer = await client.get(page)
    assert answer.status_code == 200, answer.text
    found = re.search(r'data-live="([^"]+)"', answer.text)
    assert found is not None, answer.text
    return found[1].replace("&amp;", "&")


async def _change(lines: AsyncIterator[str]) -> None:
    async with asyncio.timeout(30):
        async for line in lines:
            if line == "data: changed":
                return
    raise AssertionError("the stream ended")


async def test_the_list_and_the_overview_are_told_of_new_mail(house: House, visit: Visit) -> None:
    client = await visit("admin")
    for page in ("/admin/", "/admin/notifications"):
        async with client.stream("GET", await _stream_of(client, page)) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            await house.send()
            await _change(answer.aiter_lines())


async def test_what_came_after_the_page_and_before_its_stream_is_told(house: House, visit: Visit) -> None:
    client = await visit("admin")
    where = await _stream_of(client, "/admin/notifications")
    await house.final((await house.send())["id"])
    async with client.stream("GET", where) as answer:
        await _change(answer.aiter_lines())


async def test_a_notification_that_waits_tells_its_page_when_it_goes_on(house: House, visit: Visit) -> None:
    await house.stop("template:hello")
    sent = await house.send()
    client = await visit("admin")
    where = await _stream_of(client, f"/admin/notifications/{sent['id']}")
    assert sent["id"] in where
    async with client.stream("GET", where) as answer:
        await house.go_on("template:hello")
        await _change(answer.aiter_lines())


async def test_who_is_signed_out_gets_no_stream(visit: Visit) -> None:
    answer = await (await visit()).get("/admin/live")
    assert answer.status_code == 303


async def test_at_sigterm_an_open_stream_ends_properly_and_the_process_with_0(tmp_path: Path) -> None:
    async with Capture() as relay:
        serve = Serve(tmp_path, relay, NOTIFIER_ADMIN_PASSWORD=PASSWORD)
        try:
            await serve.start()
            async with httpx.AsyncClient(
                base_url=serve.url, headers={"sec-fetch-site": "same-origin"}, timeout=30
            ) as client:
                await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
                async with client.stream("GET", await _stream_of(client, "/admin/")) as answer:
                    lines = answer.aiter_lines()
                    assert await anext(lines) == "retry: 2000"
                    stopping = asyncio.create_task(serve.stop())
                    async for _ in lines:  # cut off, it would raise
                        pass
            assert await stopping == 0
        finally:
            await serve.close()
