"""What is looked at follows what happens, in a browser."""

from playwright.async_api import expect

from tests.browser.conftest import House, Open

WITHIN = 30_000  # milliseconds; a second as a rule


async def test_overview_list_and_timeline_follow_what_happens_without_being_loaded_again(
    house: House, sign_in: Open
) -> None:
    page = await sign_in()
    accepted = page.locator(".plot.accepted .total")
    await expect(accepted).to_have_text("0")
    await house.final((await house.send(to="zoe@example.com"))["id"])
    await expect(accepted).to_have_text("1", timeout=WITHIN)

    await page.get_by_role("link", name="Notifications").click()
    first = page.get_by_role("link", name="zoe@example.com")
    await first.focus()
    await house.stop()
    waiting = await house.send(to="mei@example.com")
    await expect(page.get_by_role("link", name="mei@example.com")).to_be_visible(timeout=WITHIN)
    await expect(first).to_be_focused()

    await page.goto(f"/admin/notifications/{waiting['id']}")
    await page.get_by_text("Resend to a corrected address").click()
    await page.get_by_label("Address").fill("me@example")
    await expect(page.locator("#where")).to_contain_text("stopped by the pause all")
    await house.go_on()
    await expect(page.locator(".timeline li").last).to_contain_text("sent 250", timeout=WITHIN)
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    await expect(page.get_by_label("Address")).to_have_value("me@example")


async def test_who_marks_text_keeps_it_and_sees_the_change_afterwards(house: House, sign_in: Open) -> None:
    await house.stop()
    sent = await house.send()
    page = await sign_in()
    await page.goto(f"/admin/notifications/{sent['id']}")
    await page.locator(".timeline li").first.evaluate("step => getSelection().selectAllChildren(step)")
    await house.go_on()
    await house.final(sent["id"])
    asked = await page.evaluate(
        "() => new Promise((done) => { const s = new EventSource(document.querySelector('[data-live]').dataset.live); "
        "s.onmessage = () => { s.close(); done(true) } })"
    )
    assert asked  # the page has heard of it by now, or does while text is marked
    assert await page.evaluate("getSelection().toString()")
    await page.evaluate("getSelection().removeAllRanges()")
    await expect(page.locator(".timeline li").last).to_contain_text("sent 250", timeout=WITHIN)
