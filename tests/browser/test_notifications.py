"""Support finds a mail and does something about it, in a browser."""

from playwright.async_api import Page, expect

from notifier.domain.lifecycle import Status
from tests.browser.conftest import PASSWORD, House, Open


async def _search(page: Page, words: str) -> None:
    await page.goto("/admin/notifications")
    await page.get_by_label("Address, id or reference").fill(words)
    await page.get_by_role("button", name="Search").click()


async def test_who_is_signed_out_signs_in_and_comes_back_to_where_they_wanted_to_be(open_page: Open) -> None:
    page = await open_page(quiet=False)
    await page.goto("/admin/notifications?status=failed")
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill("wrong-horse-battery")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/admin/notifications?status=failed")
    await page.get_by_role("button", name="Sign out").click()
    await page.goto("/admin/")
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_a_mail_is_found_by_its_address_and_its_timeline_tells_what_happened(house: House, sign_in: Open) -> None:
    house.capture.fail_next(stage="rcpt", code=451, text="4.7.1 Greylisted")
    sent = await house.send(to="Zoë <zoe@example.com>", reference="order-1001", tags=["orders"])
    await house.final(sent["id"])
    page = await sign_in()
    await _search(page, "zoe@example.com")
    await page.get_by_role("link", name="zoe@example.com").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Hello Zoë")
    steps = page.locator(".timeline li")
    await expect(steps).to_have_count(3)
    await expect(steps.nth(1)).to_contain_text("451 4.7.1 Greylisted")
    await expect(steps.nth(1)).to_contain_text("waits 1 s")
    await expect(steps.nth(2)).to_contain_text("Try 2: sent 250")
    await expect(page.frame_locator("iframe.mail").get_by_text("your code is 42")).to_be_visible()
    for words in ("order-1001", sent["id"]):
        await _search(page, words)
        await expect(page.get_by_text("zoe@example.com").first).to_be_visible()


async def test_what_failed_is_tried_again_and_resent_to_a_corrected_address(house: House, sign_in: Open) -> None:
    refusal = house.capture.fail(stage="rcpt", code=550, text="5.7.1 Not from here")
    sent = await house.send(to="zeo@example.com")
    assert (await house.final(sent["id"]))["status"] == Status.FAILED
    refusal.remove()
    page = await sign_in()
    await page.goto(f"/admin/notifications/{sent['id']}")
    await expect(page.locator("#where")).to_contain_text("550 5.7.1 Not from here")
    await page.get_by_role("button", name="Retry").click()
    await expect(page.get_by_role("status")).to_contain_text("queued again")
    assert (await house.final(sent["id"]))["status"] == Status.SENT
    await page.get_by_text("Resend to a corrected address").click()
    await page.get_by_label("Address").fill("zoe@example.com")
    await page.get_by_role("button", name="Resend", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("A new notification")
    await expect(page.get_by_role("link", name=sent["id"])).to_be_visible()
    await house.final(page.url.rpartition("/")[2].partition("?")[0])
    assert [mail.rcpt_tos for mail in house.capture.messages] == [("zeo@example.com",), ("zoe@example.com",)]


async def test_everything_is_stopped_and_goes_on_and_what_waits_is_canceled(house: House, sign_in: Open) -> None:
    page = await sign_in()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/admin/pauses")
    await page.get_by_label("Why").fill("the relay moves")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("row", name="the relay moves")).to_be_visible()
    waiting = await house.send()
    await page.goto(f"/admin/notifications/{waiting['id']}")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("status").first).to_contain_text("canceled")
    other = await house.send()
    await page.goto("/admin/pauses")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_text("Nothing is stopped.")).to_be_visible()
    assert (await house.final(other["id"]))["status"] == Status.SENT
    assert len(house.capture.messages) == 1


async def test_with_the_keyboard_alone_somebody_signs_in_and_finds_a_mail(house: House, open_page: Open) -> None:
    await house.final((await house.send(to="mei@example.com"))["id"])
    page = await open_page()
    await page.goto("/admin/")
    keys = page.keyboard
    await keys.type("admin")
    await keys.press("Tab")
    await keys.type(PASSWORD)
    await keys.press("Enter")
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    await keys.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    link = page.get_by_role("link", name="Notifications")
    while not await link.evaluate("link => link === document.activeElement"):
        await keys.press("Tab")
    await keys.press("Enter")
    await page.wait_for_url("**/admin/notifications")
    await keys.press("/")
    await keys.type("mei@example.com")
    await keys.press("Enter")
    found = page.get_by_role("link", name="mei@example.com")
    await page.wait_for_url("**q=mei**")
    while not await found.evaluate("link => link === document.activeElement"):
        await keys.press("Tab")
    await keys.press("Enter")
    await expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
