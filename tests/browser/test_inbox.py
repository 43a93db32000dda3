"""The built-in inbox, in a browser."""

from playwright.async_api import expect

from tests.browser.conftest import House, Open

WITHIN = 30_000  # milliseconds; at once as a rule


async def test_mail_shows_up_by_itself_is_looked_at_from_all_sides_and_deleted(house: House, open_page: Open) -> None:
    page = await open_page()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/inbox/")
    await expect(page.get_by_text("No mail yet.")).to_be_visible()
    await house.send(to="zoe@example.com")
    first = page.get_by_role("link", name="Hello Zoë")
    await expect(first).to_be_visible(timeout=WITHIN)
    await first.focus()
    await house.send(to="mei@example.com", data={"name": "Mei", "code": "7"})
    await expect(page.get_by_role("link", name="Hello Mei")).to_be_visible(timeout=WITHIN)
    await expect(first).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Hello Zoë")
    await expect(page.frame_locator("iframe.mail").get_by_text("your code is 42")).to_be_visible()
    await page.get_by_role("link", name="Source").click()
    await expect(page.locator("pre")).to_contain_text("Subject:")
    await page.get_by_role("link", name="Inbox").click()
    await page.get_by_role("button", name="Delete all").click()
    await expect(page.get_by_text("No mail yet.")).to_be_visible()


async def test_the_way_back_to_the_admin_pages_is_where_it_always_is(house: House, sign_in: Open) -> None:
    page = await sign_in()
    menu = page.get_by_role("navigation", name="Main").get_by_role("link")
    there = [text for text in await menu.all_inner_texts() if text != "Settings"]
    await page.get_by_role("link", name="Inbox").click()
    assert await menu.all_inner_texts() == there
    await page.get_by_role("link", name="Notifications").click()
    await expect(page.get_by_role("heading", name="Notifications")).to_be_visible()
    assert house.url in page.url
