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
        take_admin(url, re.search(r"http://\S+/sign-in/\S+", said)[0])  # type: ignore[index]
    finally:
        demo.terminate()
        demo.wait()


def post(url: str, key: str, body: object) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
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
        for name, scheme in (("admin-editor", "light"), ("admin-editor-dark", "dark")):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.goto(f"{url}/admin/templates/order-confirmation")
            page.frame_locator("#frame iframe").get_by_text("View your order").wait_for()
            page.screenshot(path=HERE / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
