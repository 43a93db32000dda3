"""Editing templates through the pages' own calls."""

import httpx2 as httpx

from tests.acceptance.admin.conftest import PASSWORD, Visit
from tests.acceptance.conftest import House, MakeHouse

FILES = {"subject.txt": "Hi {{ name }}", "body.html": "<p>{{ name }}</p>", "samples/default.json": '{"name": "Zoë"}'}


async def test_a_preview_tells_the_mail_and_the_places_of_what_is_wrong(visit: Visit) -> None:
    client = await visit("admin")
    good = (await client.post("/admin/templates/new-one/preview", json={"files": FILES})).json()
    assert good["mail"]["subject"] == "Hi Zoë"
    assert good["mail"]["size"] == len(good["mail"]["html"].encode())
    broken = {**FILES, "body.html": "<p>\n{{ name }</p>", "schema.json": "{"}
    told = (await client.post("/admin/templates/new-one/preview", json={"files": broken})).json()
    assert told["mail"] is None
    assert [(mark["path"], mark["line"]) for mark in told["marks"]] == [("schema.json", 1)]
    told = (
        await client.post("/admin/templates/new-one/preview", json={"files": {**broken, "schema.json": "{}"}})
    ).json()
    assert ("body.html", 2) in [(mark["path"], mark["line"]) for mark in told["marks"]]


async def test_saving_onto_what_is_not_the_newest_shows_both_and_saves_nothing(house: House, visit: Visit) -> None:
    client = await visit("admin")
    first = await client.post("/admin/templates/new-one/save", json={"files": FILES})
    assert first.json() == {"version": 1, "published": False}
    mine = {**FILES, "subject.txt": "Mine {{ name }}"}
    await client.post("/admin/templates/new-one/save", json={"files": mine, "onto": 1})
    theirs = {**FILES, "subject.txt": "Yours {{ name }}"}
    for onto in (1, None):
        answer = await client.post("/admin/templates/new-one/save", json={"files": theirs, "onto": onto})
        assert answer.status_code == 409
        assert answer.json()["by"] == "admin"
        assert "Mine {{ name }}" in answer.json()["shown"]
        assert "Yours {{ name }}" in answer.json()["shown"]
    assert [one.number for one in await house.service.store.versions("new-one")] == [2, 1]


async def test_a_mail_in_a_frame_can_do_nothing(visit: Visit) -> None:
    client = await visit("admin")
    answer = await client.post("/admin/frame", data={"html": "<script>1</script>", "name": ""})
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy


async def test_with_the_folder_as_the_only_source_pages_show_and_do_not_change(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_ADMIN_PASSWORD=PASSWORD, NOTIFIER_TEMPLATES_SOURCE="folder")
    async with httpx.AsyncClient(base_url=house.url, headers={"sec-fetch-site": "same-origin"}, timeout=30) as client:
        await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
        page = (await client.get("/admin/templates/hello")).text
        assert "Read only" in page
        assert "Save draft" not in page
        answer = await client.post("/admin/templates/hello/save", json={"files": FILES, "onto": 1})
        assert answer.status_code == 409
    assert len(await house.service.store.versions("hello")) == 1
