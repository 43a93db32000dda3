"""Keys, users and the relay, in a browser; and whether everybody can use the pages."""

from pathlib import Path

from playwright.async_api import expect

from notifier.capture.pages import TABS
from tests.browser.conftest import House, Open

MAIL = b"""\
From: shop@example.com\r\nTo: mei@example.com\r\nSubject: Your invoice\r\nMIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Code: 123456</p>\r
--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nA\r\n--b--\r\n"""
WIDE = "[...document.querySelectorAll('html, .scroll:has(.list)')].some(one => one.scrollWidth > one.clientWidth)"
AXE = (Path(__file__).parent / "vendor" / "axe.js").read_text("utf-8")


async def test_a_key_is_shown_once_opens_the_api_and_is_revoked(house: House, sign_in: Open) -> None:
    page = await sign_in()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/admin/keys")
    await page.get_by_label("Name").fill("shop")
    await page.get_by_role("button", name="Make the key").click()
    secret = await page.locator("#secret").inner_text()
    headers = {"authorization": f"Bearer {secret}"}
    assert (await house.http.get("/v1/notifications", headers=headers)).status_code == 200
    await page.goto("/admin/keys")
    assert secret not in await page.content()
    await page.get_by_role("button", name="Revoke shop").click()
    await expect(page.get_by_role("row", name="shop")).to_contain_text("revoked")


async def test_the_relay_is_tested_step_by_step_with_a_mail(house: House, sign_in: Open) -> None:
    page = await sign_in()
    await page.goto("/admin/relay")
    await page.get_by_label("Send a test mail to").fill("me@example.com")
    await page.get_by_role("button", name="Test").click()
    steps = page.locator(".steps li strong")
    await expect(steps).to_have_text(["settings", "dns", "connect", "tls", "auth", "mail", "message"])
    assert [mail.rcpt_tos for mail in house.capture.messages] == [("me@example.com",)]


async def test_somebody_is_invited_by_a_link_chooses_a_password_and_may_only_look(
    sign_in: Open, open_page: Open
) -> None:
    page = await sign_in()
    await page.goto("/admin/users")
    await page.get_by_label("Name", exact=True).fill("mei@example.com")
    await page.get_by_role("button", name="Make a link").click()
    link = await page.locator("#link").inner_text()
    other = await open_page()
    await other.goto(link)
    await other.get_by_role("button", name="Sign in").click()
    await other.get_by_label("New password").fill("a-long-enough-one")
    await other.get_by_role("button", name="Set the password").click()
    await expect(other.get_by_role("status")).to_contain_text("password is set")
    await expect(other.get_by_role("link", name="Settings")).to_have_count(0)
    await other.goto("/admin/templates/greeting")
    await expect(other.locator("#subject")).not_to_be_empty()
    await expect(other.get_by_role("button", name="Save draft")).to_have_count(0)


async def test_pages_fit_a_phone_and_axe_finds_no_serious_fault_in_light_and_dark(house: House, sign_in: Open) -> None:
    made = (await house.http.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/hook"})).json()
    mail = house.capture.messages.add("shop@example.com", ["mei@example.com"], MAIL)
    house.capture.fail_next(stage="rcpt", code=550, text="5.7.1 No")
    id_ = (await house.send(template="greeting", tags=["spring"]))["id"]
    await house.final(id_)
    await house.http.put("/v1/suppressions/zoe@example.com", json={"reason": "bounced"})
    page = await sign_in()
    await page.add_init_script(AXE)
    paths = [
        "", "notifications", f"notifications/{id_}", "addresses/zoe@example.com", "bulk/retry?tag=spring",
        "suppressions", "webhooks", f"webhooks/{made['id']}", "templates", "templates/greeting",
        "templates/greeting/history", "templates/greeting/publish/1", "pauses", "keys", "relay", "users", "audit",
        "account", "sign-in/no-such-link", "/inbox/", *(f"/inbox/messages/{mail.id}?tab={tab}" for tab in TABS),
    ]  # fmt: skip
    width = await page.evaluate("innerWidth")
    faults: list[tuple[str, ...]] = []
    for path in paths:
        await page.goto(path if path.startswith("/") else f"/admin/{path}")
        if path == "templates/greeting":
            await expect(page.locator("#subject")).not_to_be_empty()
        await page.set_viewport_size({"width": 390, "height": 800})
        if await page.evaluate(WIDE):
            faults.append((path, "wider than a phone"))
        await page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = await page.evaluate("axe.run(document, {iframes: false, resultTypes: ['violations']})")
            serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
            faults += [(path, scheme, one["id"], one["nodes"][0]["html"][:200]) for one in serious]
    assert not faults
