"""A test of a template to oneself, in a browser."""

from playwright.async_api import expect

from tests.acceptance.conftest import House
from tests.browser.conftest import Open
from tests.browser.templates.conftest import Made, edit, write

SETTINGS = {"NOTIFIER_TEAM_ADDRESSES": "shop.example"}


async def test_a_test_is_sent_as_a_draft_stands_marked_and_followed_to_its_end(
    house: House, made: Made, sign_in: Open
) -> None:
    name = await made()
    page = await sign_in()
    await edit(page, name)
    await write(page, "<p>Tried, {{ name }} {{ code }}</p>\n")
    await page.get_by_role("button", name="Send a test…").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("To", exact=True)).to_have_value("admin@example.com")
    await expect(dialog).to_contain_text("What you changed is saved as a draft first")
    await expect(dialog).to_contain_text("shop.example")
    await dialog.get_by_label("To", exact=True).fill("me@shop.example")
    await dialog.get_by_role("button", name="Send it").click()
    await expect(dialog.get_by_role("status")).to_contain_text("sent")
    mail = house.capture.messages[-1]
    assert mail.rcpt_tos == ("me@shop.example",)
    assert "Tried, Zoë 42" in (mail.html or "")
    await dialog.get_by_role("link", name="See it").click()
    await expect(page.get_by_role("link", name="test", exact=True)).to_be_visible()
    await expect(page.get_by_text("version 2")).to_be_visible()
    assert (await house.service.store.published())[name].number == 1


async def test_a_test_goes_to_the_team_alone_and_says_so(house: House, made: Made, sign_in: Open) -> None:
    page = await sign_in(quiet=False)  # a 422 is told on the console
    await edit(page, await made())
    before = len(house.capture.messages)
    await page.get_by_role("button", name="Send a test…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("To", exact=True).fill("someone@elsewhere.example")
    await dialog.get_by_role("button", name="Send it").click()
    await expect(dialog.get_by_role("status")).to_contain_text("this is none of them")
    assert len(house.capture.messages) == before
