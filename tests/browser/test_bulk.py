"""Many mails are dealt with at once, in a browser."""

import asyncio

from playwright.async_api import Route, expect

from tests.browser.conftest import House, Open

WITHIN = 30_000  # milliseconds


async def test_everything_that_failed_is_retried_with_progress(house: House, sign_in: Open) -> None:
    fault = house.capture.fail(stage="rcpt", code=550, text="5.7.1 Not today")
    ids = [(await house.send(tags=["spring"]))["id"] for _ in range(4)]
    for id_ in ids:
        await house.final(id_)
    fault.remove()
    page = await sign_in()
    await page.goto("/admin/notifications?tag=spring&status=failed")
    await page.get_by_role("link", name="Retry all").click()
    await page.get_by_role("button", name="Retry 4 notifications").click()
    await expect(page.get_by_role("status")).to_contain_text("4 of 4 queued again. Done.", timeout=WITHIN)
    await expect(page.get_by_role("progressbar")).to_have_attribute("value", "4")
    for id_ in ids:
        assert (await house.final(id_))["status"] == "sent"
    await page.get_by_role("button", name="Back to the list").click()
    await expect(page.get_by_text("Nothing like that.")).to_be_visible()


async def test_a_long_run_is_stopped_on_its_way(house: House, sign_in: Open) -> None:
    await house.stop()
    many = [{"to": f"u{n}@example.com"} for n in range(1000)]
    body = {"defaults": {"template": "hello", "data": {"name": "Zoë", "code": "1"}}, "notifications": many}
    batches = [(await house.http.post("/v1/notifications/batch", json=body)).json()["batch"] for _ in range(2)]
    assert all(batches)
    page = await sign_in()
    stopped = asyncio.Event()

    async def hold(route: Route) -> None:
        """No step is asked for before somebody has pressed Stop, however fast they are."""
        await stopped.wait()
        await route.continue_()

    await page.route(
        lambda url: "/admin/runs/" in url,
        lambda route: hold(route) if route.request.method == "POST" else route.continue_(),
    )
    await page.goto("/admin/bulk/cancel?template=hello")
    await page.get_by_role("button", name="Cancel at least 500").click()
    await expect(page.get_by_role("status")).to_contain_text("of 2,000")
    await page.get_by_role("button", name="Stop").click()
    stopped.set()
    await expect(page.get_by_role("status")).to_contain_text("Stopped.", timeout=WITHIN)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("heading", name="Cancel all of these?")).to_be_visible()
