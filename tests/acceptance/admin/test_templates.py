"""Editing templates through the pages' own calls."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx2 as httpx

from notifier.templating.filters import FILTERS as FILTERS_OF_TEMPLATES
from notifier.web.admin import words
from notifier.web.admin.sessions import new_link
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
    asks = {**FILES, "body.html": "<p>{{ name }} {{ code }}</p>"}
    told = (await client.post("/admin/templates/new-one/preview", json={"files": asks, "sample": "default"})).json()
    assert [(mark["path"], mark["line"], mark["severity"]) for mark in told["marks"]] == [
        ("samples/default.json", 1, "error")  # once, and where it is to be mended
    ]


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
    async with house.browser() as client:
        await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
        page = (await client.get("/admin/templates/hello")).text
        assert "Read only" in page
        assert "Save draft" not in page
        answer = await client.post("/admin/templates/hello/save", json={"files": FILES, "onto": 1})
        assert answer.status_code == 409
    assert len(await house.service.store.versions("hello")) == 1


@asynccontextmanager
async def _editor(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with the role editor, signed in by a link."""
    office = house.service.office
    link = await new_link(office.store, office, await office.store.add_user("mei@example.com", "editor"))
    async with house.browser() as client:
        assert (await client.post(link)).status_code == 303
        yield client


async def test_where_admins_publish_the_server_refuses_an_editor(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_ADMIN_PUBLISHERS="admin")
    async with _editor(house) as client:
        await client.post("/admin/templates/hello/save", json={"files": FILES, "onto": 1})
        for path in ("hello/publish/2", "hello/delete"):
            answer = await client.post(f"/admin/templates/{path}", data={"force": "yes"})
            assert answer.status_code == 403
            assert "takes the role admin" in answer.text
    assert (await house.service.store.published())["hello"].number == 1


async def test_by_default_an_editor_publishes_and_what_was_published_is_told_apart_from_a_draft(
    house: House,
) -> None:
    async with _editor(house) as client:
        await client.post("/admin/templates/hello/save", json={"files": FILES, "onto": 1})
        await client.post("/admin/templates/hello/publish/2", data={"force": "yes"})
        await client.post("/admin/templates/hello/save", json={"files": {**FILES, "subject.txt": "Hm"}, "onto": 2})
        page = (await client.get("/admin/templates/hello/history")).text
    states = re.findall(r'<span class="status ([a-z ]+)"', page)
    assert states == ["draft", "published", "published before"]
    told = (await house.http.get("/v1/templates/hello/versions")).json()["data"]
    assert [one["state"] for one in told] == ["draft", "published", "draft"]


async def test_what_publishing_asks_of_callers_is_told_with_how_many_do_it_and_tests_are_no_callers(
    house: House, visit: Visit
) -> None:
    client = await visit("admin")
    for data in ({"name": "Zoë", "code": "1", "order_id": "7"}, {"name": "Mei", "code": "2"}):
        await house.send(data=data)
    asks = {**FILES, "body.html": "<p>{{ name }} {{ order_id }}{{ nick|default('') }}</p>"}
    await client.post("/admin/templates/hello/save", json={"files": asks, "onto": 1})
    trial = {"to": "me@example.com", "version": 1, "sample": None, "locale": None}
    unmade = await client.post("/admin/templates/hello/test", json=trial)
    assert unmade.status_code == 422
    assert "is missing" in unmade.json()["message"]
    sent = await client.post("/admin/templates/hello/test", json={**trial, "version": 2, "sample": "default"})
    assert "'order_id' is missing" in sent.json()["message"]
    full = {**asks, "samples/default.json": '{"name": "Zoë", "order_id": "9"}'}
    await client.post("/admin/templates/hello/save", json={"files": full, "onto": 2})
    sent = await client.post("/admin/templates/hello/test", json={**trial, "version": 3})
    assert sent.status_code == 200
    page = (await client.get("/admin/templates/hello/publish/3")).text
    told = [re.sub("<[^>]+>", "", line) for line in re.findall(r"<li[^>]*>(.*?)</li>", page)]
    assert "Callers must now send order_id; 1 of the last 2 did not." in told
    assert "code is no longer used; callers may go on sending it." in told


async def test_a_test_goes_the_way_of_all_mail_with_a_mark(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_REDIRECT_ALL_TO="staging@example.com")
    async with _editor(house) as client:
        await client.post("/admin/templates/new-one/save", json={"files": FILES})
        assert "staging@example.com" in (await client.get("/admin/templates/new-one")).text
        trial = {"to": "me@example.com", "version": 1, "sample": "default"}
        told = (await client.post("/admin/templates/new-one/test", json=trial)).json()
        told = (await client.get(told["follow"], params={"wait": "20"})).json()
        assert (told["status"], told["final"]) == ("sent", True)
        assert (await client.get(told["url"])).status_code == 200
        assert (await client.get("/admin/trials/nothing")).status_code == 404
    (listed,) = (await house.http.get("/v1/notifications", params={"tag": "test"})).json()["data"]
    assert (listed["template"], listed["metadata"]) == (
        {"name": "new-one", "version": 1, "locale": "en"},
        {"sent_by": "mei@example.com"},
    )
    assert [mail.rcpt_tos for mail in house.capture.messages] == [("staging@example.com",)]


async def test_the_list_tells_warnings_and_what_was_sent_and_failed_of_each_template(
    house: House, visit: Visit
) -> None:
    client = await visit("admin")
    house.capture.fail_next(stage="rcpt", code=550, text="5.7.1 No")
    for _ in range(3):
        await house.final((await house.send())["id"])
    page = (await client.get("/admin/templates")).text
    with anyio.fail_after(30):
        while "hx-trigger" in page:  # as the page asks while there is more to be found out
            page = (await client.get("/admin/templates", headers={"hx-request": "true"})).text
    assert _numbers(page, "hello") == ["2", "2", "1"]  # no sample, and a locale with half of its words
    assert _numbers(page, "welcome") == ["0", "0", "0"]


def _numbers(page: str, name: str) -> list[str]:
    (row,) = re.findall(rf'<tr><td[^>]*><a id="to-{name}".*?</tr>', page, re.DOTALL)
    cells = re.findall(r'<td class="number"[^>]*>(.*?)</td>', row, re.DOTALL)
    return [re.sub("<[^>]+>", "", cell) for cell in cells]


def test_the_menu_knows_every_filter_and_no_other() -> None:
    named = {call.partition("(")[0] for call in words.FILTERS}
    assert named | {"count", "d", "e"} == set(FILTERS_OF_TEMPLATES)  # those are short for others
