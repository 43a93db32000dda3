"""Uploads of pictures through the pages' own calls."""

import base64

import pytest

from notifier.web.admin.pictures import clean_name
from notifier.web.admin.sessions import new_link
from tests.acceptance.admin.conftest import PASSWORD, Visit
from tests.acceptance.conftest import House, MakeHouse

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
OTHER = GIF.replace(b"\x80\x00\x00\x00\x00\x00", b"\x80\x00\x00\x01\x01\x01")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("dot.gif", "dot.gif"),
        ("Our Map (1).GIF", "Our-Map-1.gif"),
        ("photo.jpeg", "photo.gif"),
        ("C:\\pictures\\a b.gif", "a-b.gif"),
        ("../../etc/passwd", "passwd.gif"),
        ("картинка.gif", "picture.gif"),
        ("release-1.2-final", "release-1.2-final.gif"),
        (".gif", "gif.gif"),
    ],
)
def test_a_files_name_becomes_one_that_a_template_can_write(given: str, kept: str) -> None:
    assert clean_name(given, GIF) == kept


async def test_a_new_picture_is_there_at_once_and_another_under_its_name_is_a_draft(house: House, visit: Visit) -> None:
    client = await visit("admin")
    first = (await client.post("/admin/pictures/dot.gif", content=GIF)).json()
    shown = await client.get(first["url"])
    assert (shown.headers["content-type"], shown.content) == ("image/gif", GIF)
    assert "sandbox" in shown.headers["content-security-policy"]
    names = [one["name"] for one in (await client.get("/admin/templates/hello/pictures")).json()["pictures"]]
    assert "dot.gif" in names
    assert (await client.post("/admin/pictures/dot.gif", content=GIF)).status_code == 200
    other = await client.post("/admin/pictures/dot.gif", content=OTHER)
    assert other.status_code == 409
    assert "another picture called dot.gif" in other.json()["message"]
    assert [one.number for one in await house.service.store.versions("_assets/dot.gif")] == [1]
    draft = (await client.post("/admin/pictures/dot.gif?replace=yes", content=OTHER)).json()
    assert draft["publish"].endswith("/_assets/dot.gif/publish/2")
    assert (await house.service.store.published())["_assets/dot.gif"].number == 1


async def test_the_body_is_limited_and_looked_at_whatever_its_name_says(visit: Visit) -> None:
    client = await visit("admin")
    for content, why in (
        (b"", "empty"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"RIFF\0\0\0\0WEBP", "WebP"),
        (GIF + bytes(1024 * 1024), "1 MB is the most"),
    ):
        answer = await client.post("/admin/pictures/a.gif", content=content)
        assert answer.status_code == 422
        assert why in answer.json()["message"]
    assert (await client.get("/admin/pictures/" + "0" * 32)).status_code == 404
    assert (await client.get("/admin/pictures/nothing")).status_code == 404


async def test_pictures_take_an_editor_and_a_place_to_keep_them(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_ADMIN_PASSWORD=PASSWORD, NOTIFIER_TEMPLATES_SOURCE="folder")
    office = house.service.office
    link = await new_link(office.store, office, await office.store.add_user("mei", "viewer"))
    async with house.browser() as client:
        assert (await client.post("/admin/pictures/a.gif", content=GIF)).status_code in (303, 401)
        await client.post(link)
        assert (await client.post("/admin/pictures/a.gif", content=GIF)).status_code == 403
        await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
        refused = await client.post("/admin/pictures/a.gif", content=GIF)
        assert refused.status_code == 409
        assert "edit them there" in refused.json()["message"]
        assert "Upload as a draft" not in (await client.get("/admin/templates/_assets/logo.png")).text


async def test_hosted_pictures_are_shown_in_previews_without_a_request_to_anywhere(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_ADMIN_PASSWORD=PASSWORD, NOTIFIER_PUBLIC_URL="http://mail.example.com")
    async with house.browser() as client:
        await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
        files = {"subject.txt": "Hi", "body.html": '<p>Hi</p><img src="{{ asset("logo.png") }}" alt="" width="48">'}
        made = (await client.post("/admin/templates/new-one/preview", json={"files": files})).json()
        assert "http://mail.example.com/assets/" in made["mail"]["html"]
        frame = await client.post("/admin/frame", data={"html": made["mail"]["html"]})
        assert "data:image/png;base64," in frame.text
        assert "mail.example.com" not in frame.text
        without = await client.post("/admin/frame", data={"html": made["mail"]["html"], "images": "off"})
        assert "<img data-src=" in without.text
