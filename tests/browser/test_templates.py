"""Somebody who is no programmer edits a template, in a browser."""

from playwright.async_api import Page, expect

from tests.browser.conftest import House, Open

HOSTILE = """<p id="mail">Hello {{ name }}</p>
<script>parent.document.title = "taken"; fetch("/admin/keys")</script>
<img src="x" onerror="parent.document.title = 'taken'">
<img src="https://tracker.invalid/pixel.png">
<form action="/admin/keys" method="post"><button id="go">Go</button></form>
<a id="out" href="/admin/keys" target="_top">Out</a>
<meta http-equiv="refresh" content="0; url=https://elsewhere.invalid/">
"""


async def _edit(page: Page, name: str) -> None:
    await page.goto(f"/admin/templates/{name}")
    await expect(page.locator("#subject")).not_to_be_empty()


async def _write(page: Page, text: str, tab: str = "body.html") -> None:
    await page.get_by_role("tab", name=tab, exact=True).click()
    code = page.locator(".cm-content")
    await code.click()
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Delete")  # over coloured words, Chromium would keep their style for what is typed
    await page.keyboard.insert_text(text)


MAIL = "#frame iframe:first-child"


async def test_the_preview_follows_the_text_and_what_is_wrong_is_marked(sign_in: Open) -> None:
    page = await sign_in()
    await _edit(page, "greeting")
    await _write(page, "<h1>Good day {{ name }}, {{ code }}</h1>\n")
    frame = page.frame_locator(MAIL)
    await expect(frame.get_by_role("heading", name="Good day")).to_be_visible()
    await expect(page.locator("#size")).to_contain_text("of the 102 KB")
    await _write(page, "<h1>Good day</h1>\n{% if name %}\n")
    await expect(page.locator("#problems li.error")).to_contain_text("body.html:")
    await expect(page.locator(".cm-lint-marker-error")).to_be_visible()
    await expect(frame.get_by_role("heading", name="Good day")).to_be_visible()
    await _write(page, "<h1>Good day {{ name }}</h1>\n")
    await expect(page.locator("#problems li.error")).to_have_count(0)
    await page.get_by_role("button", name="Text").click()
    await expect(page.locator("#plain")).to_have_text("Good day Zoë\n")


async def test_the_preview_shows_a_phone_and_the_dark_scheme(sign_in: Open) -> None:
    page = await sign_in("null")  # emulated, it would hold for the frame, too
    await _edit(page, "greeting")
    await _write(
        page,
        "<style>p { color: rgb(1, 2, 3) } @media (prefers-color-scheme: dark) { p { color: rgb(250, 250, 250) } }"
        "</style><p>Dear {{ name }}, {{ code }}</p>\n",
    )
    text = page.frame_locator(MAIL).locator("p")
    await expect(text).to_have_css("color", "rgb(1, 2, 3)")
    await page.get_by_role("button", name="Dark").click()
    await expect(text).to_have_css("color", "rgb(250, 250, 250)")
    await page.get_by_role("button", name="Phone").click()
    await expect(page.locator("#frame")).to_have_css("width", "375px")


async def test_a_draft_is_published_after_its_contract_was_compared_and_rolled_back(
    house: House, sign_in: Open
) -> None:
    await house.final((await house.send(template="greeting"))["id"])
    page = await sign_in()
    await _edit(page, "greeting")
    await _write(page, "<p>Dear {{ name }}, your order {{ order_id }}, your code {{ code }}.</p>\n")
    await page.keyboard.press("Control+s")
    await expect(page.locator("#saying")).to_contain_text("Saved as draft 2")
    await page.get_by_role("link", name="Publish").click()
    await expect(page.get_by_text("would break services that send it")).to_be_visible()
    told = page.get_by_role("listitem").filter(has_text="order_id")
    await expect(told.first).to_be_visible()
    await page.get_by_label("Publish it anyway").check()
    await page.get_by_role("button", name="Publish version 2").click()
    await expect(page.get_by_role("status")).to_contain_text("Published")
    await expect(page.locator(".diff .new").filter(has_text="order_id")).to_be_visible()
    await page.get_by_role("link", name="Roll back to it").click()
    await page.get_by_role("button", name="Roll back to version 1").click()
    await expect(page.get_by_role("row", name="1 published")).to_be_visible()
    assert (await house.send(template="greeting"))["template"]["version"] == 1


async def test_the_second_of_two_editors_sees_the_others_change_and_nothing_is_overwritten(
    house: House, sign_in: Open
) -> None:
    first, second = await sign_in(), await sign_in(quiet=False)  # a 409 is told on the console
    await _edit(first, "greeting")
    await _edit(second, "greeting")
    await _write(first, "<p>First {{ name }} {{ code }}</p>\n")
    await first.get_by_role("button", name="Save draft").click()
    await expect(first.locator("#saying")).to_contain_text("Saved as draft 2")
    await _write(second, "<p>Second {{ name }} {{ code }}</p>\n")
    await second.get_by_role("button", name="Save draft").click()
    dialog = second.get_by_role("dialog")
    await expect(dialog).to_contain_text("admin saved version 2")
    await expect(dialog.locator(".old").filter(has_text="First")).to_be_visible()
    await expect(dialog.locator(".new").filter(has_text="Second")).to_be_visible()
    assert [one.number for one in await house.service.store.versions("greeting")] == [2, 1]
    await second.get_by_role("button", name="Save mine after theirs").click()
    await expect(second.locator("#saying")).to_contain_text("Saved as draft 3")


async def test_a_hostile_template_cannot_touch_the_page_around_its_preview(house: House, sign_in: Open) -> None:
    page = await sign_in(quiet=False)  # the browser says what it blocks
    await _edit(page, "greeting")
    await _write(page, HOSTILE)
    frame = page.frame_locator(MAIL)
    await expect(frame.locator("#mail")).to_contain_text("Hello")
    await frame.locator("#go").click()
    await frame.locator("#out").click()
    await expect(frame.locator("#mail")).to_contain_text("Hello")
    assert await page.title() == "greeting · notifier"
    assert page.url.endswith("/admin/templates/greeting")
    inside = page.frames[-1]
    assert await inside.evaluate("self.origin") == "null"
    assert [key.name for key in await house.service.store.keys()] == ["acceptance"]


async def test_a_new_template_is_written_and_saved(house: House, sign_in: Open) -> None:
    page = await sign_in()
    await page.goto("/admin/templates")
    await page.get_by_label("A new template").fill("order-shipped")
    await page.get_by_role("button", name="Write it").click()
    await expect(page.locator("#subject")).to_have_text("Hello Zoë")
    await page.get_by_role("button", name="Save draft").click()
    await page.wait_for_url("**/admin/templates/order-shipped")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("version 1")
    assert "order-shipped" not in await house.service.store.published()
