"""Ten templates as people write them, in two locales each: pushed, sent, captured, and the same as their previews."""

from pathlib import Path
from typing import Any

from notifier.cli.exchange import sources
from notifier.templating import read_folder
from tests.acceptance.conftest import MakeHouse
from tests.acceptance.templates.conftest import Desk
from tests.acceptance.templates.test_editing import sent
from tests.acceptance.templates.test_pictures import base64_of

FIXTURES = Path(__file__).parents[2] / "unit/templating/fixtures"
LOCALES = {
    "invoice": "fr", "shipping": "fr", "magic-link": "de", "verify-email": "fr", "trial-ending": "de",
    "weekly-digest": "fr", "payment-failed": "de", "team-invite": "fr", "comments": "de", "settings-changed": "de",
}  # fmt: skip


def lines(text: str | None) -> list[str]:
    return (text or "").replace("\r\n", "\n").splitlines()


async def test_what_is_sent_is_what_was_previewed(desk: Desk) -> None:
    samples: dict[str, Any] = {}
    for name, source in sources(read_folder(FIXTURES)):
        more = {
            "schema": source.schema,
            "samples": source.samples,
            "settings": source.settings,
            "shared": source.shared,
        }
        if not name.startswith("_"):
            assets = {path: base64_of(data) for path, data in (source.assets or {}).items()}
            saved = await desk.saved(name, source.parts, assets=assets, **more)
            assert saved["warnings"] == [], name
            samples[name] = (source.samples or {})["default"]
    assert samples.keys() == LOCALES.keys()
    for name, data in samples.items():
        for locale in ("en", LOCALES[name]):
            preview = (await desk.post(f"{name}/preview", {"sample": "default", "locale": locale})).json()
            mail = await sent(desk, template=name, data=data, locale=locale)
            assert preview["locale"] == locale
            assert mail.subject == preview["subject"], name
            assert lines(mail.text) == lines(preview["text"]), name
            assert lines(mail.html) == lines(preview["html"]), name
            assert (mail.header("X-Notifier-Template"), mail.rcpt_tos) == (name, ("zoe@example.com",))


async def test_styles_go_into_the_elements_where_a_template_says_so(make_house: MakeHouse) -> None:
    desk = Desk(await make_house(NOTIFIER_PUBLIC_URL="https://mail.example.com"))
    style = "<style>p { color: #123456 } @media (max-width: 600px) { p { color: red } }</style>"
    parts = {
        "subject.txt": "Hi",
        "body.html": f'<html><head>{style}</head><body><p class="x">{{{{ name }}}}</p></body></html>',
    }
    await desk.saved("styled", parts, settings={"inline_css": True})
    data = {"name": "<b>& Zoë"}
    preview = (await desk.post("styled/preview", {"data": data})).json()
    mail = await sent(desk, template="styled", data=data)
    assert '<p class="x" style="color: #123456;">&lt;b&gt;&amp; Zoë</p>' in preview["html"]
    assert "@media" in preview["html"]
    assert lines(mail.html) == lines(preview["html"])
    assert lines(mail.text) == ["<b>& Zoë"]
