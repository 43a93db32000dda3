"""Whom we leave alone and whom we tell, in a browser."""

from playwright.async_api import expect

from tests.acceptance.feedback.conftest import Endpoint, endpoint
from tests.browser.conftest import House, Open

__all__ = ["endpoint"]


async def test_an_address_is_left_alone_and_written_to_again_and_a_file_is_taken(sign_in: Open) -> None:
    page = await sign_in(quiet=False)  # a 422 is told on the console
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/admin/addresses/zoe@example.com")
    await page.get_by_text("Leave it alone").first.click()
    await page.get_by_label("Why").fill("asked by phone")
    await page.get_by_role("button", name="Leave it alone").click()
    await expect(page.get_by_text("asked by phone")).to_be_visible()
    await page.get_by_role("button", name="Write to it again").click()
    await expect(page.get_by_text("Nothing keeps us from writing")).to_be_visible()

    await page.get_by_role("link", name="Suppressions").click()
    file = {"name": "list.csv", "mimeType": "text/csv", "buffer": b"email\nmei@one.test\nnobody\n"}
    await page.get_by_label("A file").set_input_files(file)  # type: ignore[arg-type]
    await expect(page.locator("#csv")).to_have_value("email\nmei@one.test\nnobody\n")
    await page.get_by_role("button", name="Import").click()
    await expect(page.get_by_role("alert")).to_contain_text("line 3")
    await page.locator("#csv").fill("email\nmei@one.test\n")
    await page.get_by_role("button", name="Import").click()
    await expect(page.get_by_role("link", name="mei@one.test")).to_be_visible()


async def test_a_webhook_is_made_tried_and_removed(house: House, endpoint: Endpoint, sign_in: Open) -> None:
    page = await sign_in()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/admin/webhooks")
    await page.get_by_label("URL").fill(endpoint.url)
    await page.get_by_label("sent", exact=True).check()
    await page.get_by_role("button", name="Make the webhook").click()
    await expect(page.locator("#secret")).to_contain_text("whsec_")
    await page.get_by_role("button", name="Test").click()
    await expect(page.get_by_role("status")).to_contain_text("It took the test: 200.")
    await house.final((await house.send())["id"])
    await endpoint.until(2)
    await page.goto(page.url.removesuffix("/test"))
    await expect(page.get_by_role("link", name="email.sent")).to_be_visible()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("Nobody is told yet.")).to_be_visible()
