"""Publishing, rolling back and looking at what changed, in a browser."""

from playwright.async_api import expect

from tests.acceptance.conftest import House
from tests.browser.conftest import Open
from tests.browser.templates.conftest import Made, edit, write

SETTINGS = {"NOTIFIER_ADMIN_PUBLISHERS": "admin"}


async def test_a_draft_is_published_after_its_callers_were_thought_of_and_rolled_back(
    house: House, made: Made, sign_in: Open
) -> None:
    name = await made()
    await house.final((await house.send(template=name))["id"])
    page = await sign_in()
    await edit(page, name)
    await write(page, "<p>Dear {{ name }}, your order {{ order_id }}.</p>\n")
    await page.keyboard.press("Control+s")
    await expect(page.locator("#saying")).to_contain_text("Saved as draft 2")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("version 2, draft")
    await page.get_by_role("link", name="Publish").click()
    told = page.get_by_role("listitem")
    await expect(told.filter(has_text="Callers must now send order_id; 1 of the last 1 did not.")).to_be_visible()
    await page.get_by_label("Publish it anyway").check()
    await page.get_by_role("button", name="Publish version 2").click()
    await expect(page.get_by_role("status")).to_contain_text("Published")
    await expect(page.get_by_role("row").nth(2)).to_contain_text("published before")
    await page.get_by_role("link", name="Roll back to it").click()
    await page.get_by_role("button", name="Roll back to version 1").click()
    await expect(page.get_by_role("row").nth(2).get_by_text("published", exact=True)).to_be_visible()
    assert (await house.send(template=name))["template"]["version"] == 1


async def test_two_versions_are_compared_as_they_are_written_and_as_they_are_read(
    house: House, made: Made, sign_in: Open
) -> None:
    name = await made()
    parts = {"subject.txt": "Hello {{ name }}", "body.html": "<h1>Welcome {{ name }}</h1><p>{{ code }}</p>\n"}
    samples = {"default": {"name": "Zoë", "code": "42"}, "long": {"name": "Maximiliana", "code": "77"}}
    body = {"parts": parts, "samples": samples}
    assert (await house.http.put(f"/v1/templates/{name}", json=body)).status_code == 200
    page = await sign_in()
    await page.goto(f"/admin/templates/{name}/history")
    await page.locator("select[name=sample]").select_option("long")
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator(".diff .new").filter(has_text="<h1>Welcome {{ name }}")).to_be_visible()
    then, now = page.frame_locator("[title='Version 1, rendered']"), page.frame_locator("[title='Version 2, rendered']")
    await expect(then.locator("p")).to_have_text("Dear Maximiliana, your code is 77.")
    await expect(now.get_by_role("heading")).to_have_text("Welcome Maximiliana")
    await expect(page.locator("#read .old").filter(has_text="Dear Maximiliana")).to_be_visible()
    await expect(page.locator("#read .new").filter(has_text="Welcome Maximiliana")).to_be_visible()


async def test_where_admins_publish_an_editor_saves_and_is_told_who_can(made: Made, sign_in: Open) -> None:
    name = await made()
    page = await sign_in(role="editor")
    await edit(page, name)
    await write(page, "<p>Dear {{ name }}, {{ code }}.</p>\n")
    await page.get_by_role("button", name="Save draft").click()
    await expect(page.locator("#saying")).to_contain_text("Saved as draft 2")
    await page.get_by_role("link", name="Publish").click()
    await expect(page.get_by_role("button", name="Publish version 2")).to_be_disabled()
    await expect(page.get_by_text("Publishing takes an admin here")).to_be_visible()


async def test_the_list_fills_itself_in_with_warnings_and_uses(house: House, made: Made, sign_in: Open) -> None:
    name = await made(**{"subject.txt": "Hello", "body.html": "<p>Hi</p><img src='https://x.test/a.png' width='9'>"})
    await house.final((await house.send(template=name))["id"])
    page = await sign_in()
    await page.goto("/admin/templates")
    cells = page.get_by_role("row", name=name).get_by_role("cell")
    await expect(cells.nth(3)).to_have_text("1")  # the picture says nothing to those who do not see it
    await expect(cells.nth(4)).to_have_text("1")
    await expect(cells.nth(5)).to_have_text("0")
    await expect(page.locator("#templates[hx-trigger]")).to_have_count(0)
