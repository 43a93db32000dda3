"""Pictures of templates: inside the mail, or hosted."""

import base64
import hashlib

from tests.acceptance.conftest import MakeHouse
from tests.acceptance.templates.conftest import Desk

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PICTURED = {
    "subject.txt": "Hello",
    "body.html": '<img src="{{ asset("map.png") }}" alt="">\n<img src="{{ asset("mark.svg") }}" alt="">',
}


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def saved(desk: Desk) -> None:
    shared = await desk.saved("_assets/mark.svg", {}, assets={"mark.svg": base64_of(SVG)})
    assert shared["state"] == "published"
    await desk.saved("notice", PICTURED, assets={"assets/map.png": base64_of(PNG)})


async def test_pictures_travel_with_the_mail(desk: Desk) -> None:
    await saved(desk)
    taken = await desk.house.send(template="notice", data={})
    await desk.house.final(taken["id"])
    mail = await desk.house.capture.messages.wait(notification=taken["id"])
    assert {part.filename: part.content for part in mail.attachments} == {"map.png": PNG, "mark.svg": SVG}
    for part in mail.attachments:
        assert f"cid:{part.content_id}" in (mail.html or "")


async def test_pictures_stay_until_others_are_given(desk: Desk) -> None:
    await saved(desk)
    kept = await desk.saved("notice", {**PICTURED, "subject.txt": "Again"})
    whole = await desk.get("notice?include=assets")
    assert whole["assets"]["assets/map.png"] == {
        "sha256": hashlib.sha256(PNG).hexdigest(), "size": len(PNG), "content": base64_of(PNG),
    }  # fmt: skip
    assert kept["version"] == 2
    assert "content" not in (await desk.get("notice"))["assets"]["assets/map.png"]
    gone = await desk.put("notice", PICTURED, assets={})
    assert [(one["field"], one["code"]) for one in gone.json()["errors"]] == [("parts.body.html:1:14", "asset")]
    used = await desk.http.delete("/v1/templates/_assets/mark.svg")
    assert used.status_code == 409


async def test_an_older_version_is_previewed_with_its_own_pictures(make_house: MakeHouse) -> None:
    desk = Desk(await make_house(NOTIFIER_PUBLIC_URL="https://mail.example.com"))
    await saved(desk)
    await desk.saved("notice", PICTURED, assets={"assets/map.png": base64_of(PNG + b"2")})
    first = (await desk.post("notice/preview", {"version": 1})).json()["html"]
    assert hashlib.sha256(PNG).hexdigest()[:32] in first


async def test_hosted_pictures_are_served_for_ever_and_run_nothing(make_house: MakeHouse) -> None:
    desk = Desk(await make_house(NOTIFIER_PUBLIC_URL="https://mail.example.com/"))
    await saved(desk)
    taken = await desk.house.send(template="notice", data={})
    await desk.house.final(taken["id"])
    mail = await desk.house.capture.messages.wait(notification=taken["id"])
    preview = (await desk.post("notice/preview", {})).json()["html"]
    assert (mail.html or "").replace("\r\n", "\n") == preview
    assert mail.attachments == ()
    del desk.http.headers["authorization"]
    for name, content, kind in (("map.png", PNG, "image/png"), ("mark.svg", SVG, "image/svg+xml")):
        path = f"/assets/{hashlib.sha256(content).hexdigest()[:32]}/{name}"
        assert f'src="https://mail.example.com{path}"' in preview
        got = await desk.http.get(path)
        assert (got.status_code, got.content, got.headers["content-type"]) == (200, content, kind)
        assert got.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in got.headers["content-security-policy"]
        again = await desk.http.get(path, headers={"if-none-match": got.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = await desk.http.head(path)
        assert (head.status_code, head.content) == (200, b"")
    beginning = hashlib.sha256(PNG).hexdigest()[:32]
    for path in (f"{beginning}/map.html", f"{beginning}/map", f"{beginning[:-1]}/map.png", f"{'0' * 32}/map.png",
                 f"{beginning.upper()}/map.png", f"{'%25' * 32}/map.png", f"{beginning}/..%2fmap.png"):  # fmt: skip
        assert (await desk.http.get(f"/assets/{path}")).status_code == 404, path
