"""Makes the pictures of the README and the docs (`make pictures`). Needs Debian's package chromium."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
MAILS = [
    {"template": "welcome", "to": "Amir Rahimi <amir@example.com>", "data": {"name": "Amir"}},
    {
        "template": "password-reset",
        "to": "mei@example.com",
        "data": {"name": "Mei", "reset_url": "https://example.com/reset/8f3a"},
    },
    {"template": "welcome", "to": "Chloé <chloe@example.com>", "locale": "fr", "data": {"name": "Chloé"}},
]


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
        key = re.search(r"ntf_live_[\w-]+", said)[0]  # type: ignore[index]
        for mail in MAILS:
            post(f"{url}/v1/notifications", key, mail)
        take(url)
        draft(url, key)
        take_admin(url, re.search(r"http://\S+/sign-in/\S+", said)[0])  # type: ignore[index]
    finally:
        demo.terminate()
        demo.wait()


def post(url: str, key: str, body: object) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    urllib.request.urlopen(request).close()  # noqa: S310


def draft(url: str, key: str) -> None:
    """A draft that asks more of callers, for the page where it would be published."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    address = f"{url}/v1/templates/welcome"
    told = json.load(urllib.request.urlopen(urllib.request.Request(address, headers=headers)))  # noqa: S310
    body = {name: told[name] for name in ("parts", "samples", "settings", "description")}
    body["parts"]["body.md"] = body["parts"]["body.md"].replace("Have a look around", "Have a look at {{ shop }}")
    for sample in body["samples"].values():
        sample["shop"] = "our shop"
    request = urllib.request.Request(address, json.dumps(body).encode(), headers, method="PUT")  # noqa: S310
    urllib.request.urlopen(request).close()  # noqa: S310


def take(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1100, "height": 760}, device_scale_factor=1)
        page.goto(f"{url}/inbox")
        page.get_by_text("Chloé").first.wait_for()
        page.screenshot(path=HERE / "inbox.png")
        page.get_by_text("A-1001").first.click()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=HERE / "mail.png")
        browser.close()


def take_admin(url: str, link: str) -> None:
    """The admin's pages, light, and the editor in dark, too."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 820}, device_scale_factor=1)
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="admin").wait_for()
        page.goto(f"{url}/admin/")
        page.screenshot(path=HERE / "admin-overview.png")
        page.goto(f"{url}/admin/notifications?template=order-confirmation")
        page.get_by_role("link", name="zoe@example.com").click()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=HERE / "admin-notification.png")
        for end, scheme in (("", "light"), ("-dark", "dark")):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.goto(f"{url}/admin/templates/order-confirmation")
            page.frame_locator("#frame iframe").get_by_text("View your order").wait_for()
            page.screenshot(path=HERE / f"admin-editor{end}.png")
            page.goto(f"{url}/admin/templates/welcome/publish/2")
            page.frame_locator("iframe").get_by_text("our shop").wait_for()
            page.screenshot(path=HERE / f"admin-publish{end}.png")
        browser.close()


if __name__ == "__main__":
    main()
