"""Makes the pictures of the README and the docs, light and dark (`make pictures`). Needs Debian's chromium."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
SIZE = {"width": 1180, "height": 700}
MAILS = [
    {"template": "welcome", "to": "Amir Rahimi <amir@example.com>", "data": {"name": "Amir"}, "tags": ["sign-up"]},
    {
        "template": "password-reset",
        "to": "mei@example.com",
        "data": {"name": "Mei", "reset_url": "https://example.com/reset/8f3a"},
    },
    {"template": "welcome", "to": "nobody@example.com", "data": {"name": "Bo"}, "tags": ["sign-up"]},
    {"template": "welcome", "to": "greta@example.com", "data": {"name": "Greta"}, "reference": "user-7"},
    {"template": "welcome", "to": "Chloé <chloe@example.com>", "locale": "fr", "data": {"name": "Chloé"}},
]
FAULTS = [
    {"kind": "fail", "stage": "rcpt", "rcpt": "nobody@example.com", "code": 550, "text": "5.1.1 No such user"},
    {"kind": "fail", "stage": "rcpt", "rcpt": "greta@example.com", "code": 451, "text": "4.7.1 Greylisted, try again"},
]
LEFT_ALONE = {"former@example.com": "bounced", "news@example.com": "unsubscribed", "quiet@example.com": "complained"}


def main() -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "notifier", "demo", "--port", "0", "--smtp-port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert demo.stdout is not None  # noqa: S101
        said = ""
        while "Ctrl-C" not in said:
            said += demo.stdout.readline()
        url = re.search(r"http://[\d.:]+", said)[0]  # type: ignore[index]
        link = re.search(r"http://\S+/sign-in/\S+", said)[0]  # type: ignore[index]
        key = re.search(r"ntf_live_[\w-]+", said)[0]  # type: ignore[index]
        fill(url, key)
        draft(url, key)
        take(url, link)
    finally:
        demo.terminate()
        demo.wait()


def fill(url: str, key: str) -> None:
    """Some mail of every kind, and some who want none."""
    for fault in FAULTS:
        ask(f"{url}/inbox/api/faults", key, fault)
    for mail in MAILS:
        ask(f"{url}/v1/notifications", key, mail)
    for address, reason in LEFT_ALONE.items():
        ask(f"{url}/v1/suppressions/{address}", key, {"reason": reason}, "PUT")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:  # until the one that is put off was tried again
        listed = json.load(ask(f"{url}/v1/notifications?limit=50", key))["data"]
        if all(one["final"] for one in listed) and len(listed) > len(MAILS):
            return
        time.sleep(0.2)


def draft(url: str, key: str) -> None:
    """A draft that asks more of callers, for the page where it would be published."""
    told = json.load(ask(f"{url}/v1/templates/welcome", key))
    body = {name: told[name] for name in ("parts", "samples", "settings", "description")}
    body["parts"]["body.md"] = body["parts"]["body.md"].replace("Have a look around", "Have a look at {{ shop }}")
    for sample in body["samples"].values():
        sample["shop"] = "our shop"
    ask(f"{url}/v1/templates/welcome", key, body, "PUT")


def ask(url: str, key: str, body: object = None, method: str | None = None) -> urllib.request.addinfourl:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310
    answer: urllib.request.addinfourl = urllib.request.urlopen(request)  # noqa: S310
    return answer


def take(url: str, link: str) -> None:
    """Each page, light and dark."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-background-networking", "--disable-lcd-text"],
        )
        page = browser.new_page(viewport=SIZE, device_scale_factor=1, base_url=url)  # type: ignore[arg-type]
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="admin").wait_for()
        for scheme, ending in (("light", ""), ("dark", "-dark")):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            for name, show in PAGES.items():
                show(page)
                page.screenshot(path=HERE / f"{name}{ending}.png")
        browser.close()


def overview(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_role("heading", name="Slowest templates").wait_for()


def notifications(page: Page) -> None:
    page.goto("/admin/notifications")
    page.get_by_text("chloe@example.com").wait_for()


def notification(page: Page) -> None:
    page.goto("/admin/notifications?q=greta@example.com")
    page.get_by_role("link", name="greta@example.com").click()
    page.frame_locator("iframe.mail").get_by_text("Greta").first.wait_for()


def editor(page: Page) -> None:
    page.goto("/admin/templates/order-confirmation")
    page.frame_locator("#frame iframe").get_by_text("View your order").wait_for()


def publish(page: Page) -> None:
    page.goto("/admin/templates/welcome/publish/2")
    page.frame_locator("iframe").get_by_text("our shop").wait_for()


def inbox(page: Page) -> None:
    page.goto("/inbox/")
    page.get_by_text("Chloé").first.wait_for()


def mail(page: Page) -> None:
    page.goto("/inbox/")
    page.get_by_text("A-1001").first.click()
    page.frame_locator("iframe.mail").get_by_text("View your order").wait_for()


PAGES: dict[str, Callable[[Page], None]] = {
    "admin-overview": overview,
    "admin-notifications": notifications,
    "admin-notification": notification,
    "admin-editor": editor,
    "admin-publish": publish,
    "inbox": inbox,
    "mail": mail,
}

if __name__ == "__main__":
    main()
