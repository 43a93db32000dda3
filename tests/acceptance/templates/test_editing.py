"""Drafts, versions, previews and names, over HTTP."""

import asyncio
from typing import Any

from tests.acceptance.templates.conftest import LEAST, Desk, faults

BROKEN = {
    "subject.txt": "Hello {{ name",
    "body.html": '<p>\n  {{ name|shout }}</p>\n<a href="javascript:x">x</a>\n{% include "_partials/no.html" %}\n',
    "locales/fr/subject.txt": "{% if %}",
}


async def sent(desk: Desk, **fields: Any) -> Any:
    """The mail that a request becomes."""
    taken = await desk.house.send(**fields)
    await desk.house.final(taken["id"])
    return await desk.house.capture.messages.wait(notification=taken["id"])


async def test_a_put_makes_a_draft_and_publishing_makes_it_what_the_name_means(desk: Desk) -> None:
    draft = (await desk.put("notice", note="first")).json()
    assert (draft["name"], draft["version"], draft["state"]) == ("notice", 1, "draft")
    assert draft["contract"]["required"] == ["name"]
    refused = await desk.http.post("/v1/notifications", json={"template": "notice", "to": "a@b.test", "data": {}})
    assert faults(refused) == {"template": "unknown"}

    published = (await desk.publish("notice", 1)).json()
    assert (published["state"], published["version"], published["name"]) == ("published", 1, "notice")
    mail = await sent(desk, template="notice", data={"name": "Zoë"})
    assert mail.subject == "Hello Zoë"

    second = (await desk.put("notice", {**LEAST, "subject.txt": "Hi {{ name }}"})).json()
    assert (second["version"], second["state"]) == (2, "draft")
    assert (await sent(desk, template="notice", data={"name": "Zoë"})).subject == "Hello Zoë"
    assert (await desk.get("notice"))["version"] == 1
    assert (await desk.get("notice/versions/2"))["parts"]["subject.txt"] == "Hi {{ name }}"


async def test_the_list_tells_what_is_published_and_what_is_a_draft(desk: Desk) -> None:
    await desk.saved("notice", description="A notice")
    await desk.put("notice", {**LEAST, "subject.txt": "Hi {{ name }}"}, description="A notice")
    await desk.put("fresh")
    listed = {one["name"]: one for one in (await desk.http.get("/v1/templates")).json()["data"]}
    notice, fresh = listed["notice"], listed["fresh"]
    assert (notice["version"], notice["state"], notice["draft"]) == (1, "published", 2)
    assert (fresh["version"], fresh["state"], fresh["draft"]) == (None, "draft", 1)
    assert notice["description"] == "A notice"
    assert listed["_layouts/base.html"]["state"] == "published"


async def test_what_is_wrong_is_told_by_part_line_and_column_all_at_once(desk: Desk) -> None:
    answer = await desk.put("notice", BROKEN)
    assert answer.status_code == 422
    assert answer.json()["code"] == "template_broken"
    assert faults(answer) == {
        "parts.subject.txt:1:10": "syntax",
        "parts.body.html:2:11": "filter",
        "parts.body.html:3:4": "link",
        "parts.body.html:4:4": "file",
        "parts.locales/fr/subject.txt:1:7": "syntax",
    }
    assert (await desk.http.get("/v1/templates/notice")).status_code == 404


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"schema": {"type": "string"}}, "schema"),
    ({"settings": {"locale": "en", "colour": "red"}}, "settings"),
    ({"settings": {"timezone": "Mars/Olympus"}}, "settings"),
    ({"parts": {"body.html": "x"}}, "parts.subject.txt:1:1"),
    ({"parts": {"subject.txt": "x"}}, "parts.body.html:1:1"),
    ({"parts": {}}, "parts.subject.txt:1:1"),
    ({"parts": {**LEAST, "template.toml": "x = 1"}}, "parts.template.toml"),
    ({"parts": {**LEAST, "../../etc/passwd": "x"}}, "parts.../../etc/passwd"),
    ({"parts": {**LEAST, "/etc/passwd": "x"}}, "parts./etc/passwd"),
    ({"parts": {**LEAST, "locales/../../x": "x"}}, "parts.locales/../../x"),
    ({"parts": {**LEAST, "body.html\n": "x"}}, "parts.body.html\n"),
    ({"samples": {"../up": {}}}, "samples.../up"),
    ({"assets": {"../logo.png": "AAAA"}}, "assets.../logo.png"),
    ({"assets": {"assets/logo.png": "no base64!"}}, "assets.assets/logo.png"),
    ({"shared": {"other/subject.txt": "x"}}, "shared.other/subject.txt"),
    ({"colour": "red"}, "colour"),
)


async def test_what_cannot_be_is_refused_by_name(desk: Desk) -> None:
    for more, field in REFUSED:
        answer = await desk.http.put("/v1/templates/notice", json={"parts": dict(LEAST), **more})
        assert answer.status_code == 422, answer.text
        assert list(faults(answer)) == [field]
    assert (await desk.http.get("/v1/templates/notice")).status_code == 404


async def test_a_part_that_nothing_reaches_is_warned_of(desk: Desk) -> None:
    saved = (await desk.put("notice", {**LEAST, "bodi.html": "x"}, samples={"default": {"name": "Zoë"}})).json()
    assert [(one["field"], one["code"]) for one in saved["warnings"]] == [("parts.bodi.html", "unreached")]


async def test_a_version_is_pinned_by_number_and_by_hash(desk: Desk) -> None:
    first = await desk.saved("notice")
    await desk.saved("notice", {**LEAST, "subject.txt": "Second for {{ name }}"})
    for pin, subject in ((1, "Hello Zoë"), (first["hash"], "Hello Zoë"), (None, "Second for Zoë")):
        assert (await sent(desk, template="notice", version=pin, data={"name": "Zoë"})).subject == subject
    for unknown in (7, "0" * 64):
        body = {"template": "notice", "version": unknown, "to": "a@b.test", "data": {"name": "Zoë"}}
        refused = await desk.http.post("/v1/notifications", json=body)
        assert faults(refused) == {"version": "unknown"}
    assert (await desk.get(f"notice/versions/{first['hash']}"))["version"] == 1
    assert (await desk.http.get("/v1/templates/notice/versions/7")).status_code == 404
    assert (await desk.http.get("/v1/templates/notice/versions/" + "9" * 40)).status_code == 404
    assert (await desk.http.get("/v1/templates/notice/versions/%00")).status_code == 404


async def test_yesterdays_version_comes_back(desk: Desk) -> None:
    await desk.saved("notice")
    await desk.saved("notice", {**LEAST, "subject.txt": "Oh no {{ name }}"})
    assert (await desk.publish("notice", 1)).status_code == 200
    assert (await sent(desk, template="notice", data={"name": "Zoë"})).subject == "Hello Zoë"
    states = [(one["version"], one["state"]) for one in (await desk.get("notice/versions"))["data"]]
    assert states == [(2, "draft"), (1, "published")]
    assert (await desk.publish("notice", 9)).status_code == 404


async def test_the_same_content_is_the_same_version(desk: Desk) -> None:
    first = await desk.saved("notice")
    await desk.saved("notice", {**LEAST, "subject.txt": "Other {{ name }}"})
    again = (await desk.put("notice")).json()
    assert (again["version"], again["hash"]) == (1, first["hash"])


async def test_what_was_accepted_is_sent_with_its_version_though_edited_or_deleted(desk: Desk) -> None:
    await desk.saved("notice")
    await desk.house.stop()
    edited = await desk.house.send(template="notice", data={"name": "Zoë"}, to="one@x.test")
    await desk.saved("notice", {**LEAST, "subject.txt": "Edited {{ name }}"})
    deleted = await desk.house.send(template="notice", data={"name": "Bo"}, to="two@x.test")
    assert (await desk.http.delete("/v1/templates/notice")).status_code == 204

    for pin in (None, 1, 2):
        body = {"template": "notice", "version": pin, "to": "a@b.test", "data": {"name": "Zoë"}}
        assert faults(await desk.http.post("/v1/notifications", json=body)) == {"template": "unknown"}
    for path in ("", "/versions", "/versions/1", "/contract"):
        assert (await desk.http.get(f"/v1/templates/notice{path}")).status_code == 404
    assert (await desk.publish("notice", 1)).status_code == 404
    assert (await desk.post("notice/validate", {"data": {}})).status_code == 404
    assert (await desk.http.delete("/v1/templates/notice")).status_code == 404

    await desk.house.go_on()
    for taken, subject in ((edited, "Hello Zoë"), (deleted, "Edited Bo")):
        assert (await desk.house.final(taken["id"]))["status"] == "sent"
        assert (await desk.house.capture.messages.wait(notification=taken["id"])).subject == subject
    assert [subject for _, subject, _ in await desk.audit("template.delete")] == ["notice"]


async def test_a_deleted_template_may_be_made_anew(desk: Desk) -> None:
    await desk.saved("notice")
    await desk.http.delete("/v1/templates/notice")
    made = (await desk.put("notice", {**LEAST, "subject.txt": "Anew {{ name }}"})).json()
    assert (made["version"], made["state"]) == (2, "draft")
    assert (await desk.get("notice"))["version"] == 2


async def test_the_contract_is_the_declared_one_or_the_inferred(desk: Desk) -> None:
    parts = {
        "subject.txt": "{{ name }}",
        "body.html": "{% for i in items %}{{ i.price }}{% endfor %}{{ nick|default('') }}",
    }
    await desk.saved("notice", parts)
    inferred = await desk.get("notice/contract")
    assert inferred["declared"] is False
    assert inferred["contract"]["required"] == ["items", "name"]
    assert "price" in inferred["contract"]["properties"]["items"]["items"]["properties"]
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    await desk.saved("strict", LEAST, schema=schema)
    declared = await desk.get("strict/contract")
    assert (declared["declared"], declared["contract"]) == (True, schema)
    verdict = (await desk.post("strict/validate", {"data": {"nom": 1}})).json()
    assert verdict["valid"] is False
    assert {one["field"]: one["code"] for one in verdict["errors"]} == {"data.name": "missing", "data.nom": "unknown"}
    assert (await desk.post("strict/validate", {"data": {"name": "Zoë"}})).json() == {"valid": True, "errors": []}
    assert (await desk.post("strict/validate", {"data": {"name": "Zoë"}, "locale": "!"})).json()["valid"] is False


async def test_a_draft_can_be_validated_and_previewed_before_it_is_published(desk: Desk) -> None:
    await desk.put("notice", samples={"default": {"name": "Zoë"}, "other": {"name": "Bo"}})
    assert (await desk.post("notice/validate", {"data": {}})).json()["errors"][0]["field"] == "data.name"
    assert (await desk.post("notice/preview", {})).json()["subject"] == "Hello Zoë"
    assert (await desk.post("notice/preview", {"sample": "other"})).json()["subject"] == "Hello Bo"
    assert (await desk.post("notice/preview", {"sample": "none"})).status_code == 404
    assert faults(await desk.post("notice/preview", {"data": {}})) == {"data.name": "missing"}
    told = (
        await desk.post("notice/preview", {"parts": {**LEAST, "subject.txt": "New {{ name }}"}, "data": {"name": "X"}})
    ).json()
    assert told["subject"] == "New X"
    broken = await desk.post("notice/preview", {"parts": BROKEN})
    assert "parts.body.html:2:11" in faults(broken)
    assert (await desk.get("notice/versions"))["data"][0]["version"] == 1


async def test_an_edit_onto_something_older_is_a_conflict_that_names_who_was_first(desk: Desk) -> None:
    first = await desk.put("notice")
    assert first.headers["etag"] == '"1"'
    assert (await desk.http.get("/v1/templates/notice")).headers["etag"] == '"1"'
    other = {**LEAST, "subject.txt": "Mine {{ name }}"}
    assert (await desk.put("notice", other, headers={"if-match": '"1"'})).status_code == 200
    late = await desk.put("notice", {**LEAST, "subject.txt": "Late {{ name }}"}, headers={"if-match": '"1"'})
    assert (late.status_code, late.json()["code"]) == (409, "edited_meanwhile")
    assert "version 2 was saved by key acceptance" in late.json()["detail"]
    assert (await desk.put("absent", headers={"if-match": '"1"'})).status_code == 409
    assert faults(await desk.put("notice", headers={"if-match": "*nonsense"})) == {"If-Match": "syntax"}


async def test_of_those_who_edit_the_same_version_at_once_one_wins(desk: Desk) -> None:
    await desk.put("notice")
    answers = await asyncio.gather(
        *(
            desk.put("notice", {**LEAST, "subject.txt": f"{n} {{{{ name }}}}"}, headers={"if-match": '"1"'})
            for n in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_scopes_say_who_may_read_and_who_may_write(desk: Desk) -> None:
    await desk.saved("notice", samples={"default": {"name": "Zoë"}})
    _, sender = await desk.house.key(scopes=("send",))
    _, reader = await desk.house.key(scopes=("read",))
    _, writer = await desk.house.key(scopes=("templates",))
    reading = ("", "/versions", "/versions/1", "/contract")
    for http, reads, writes in ((sender, 403, 403), (reader, 200, 403), (writer, 200, 200)):
        for path in reading:
            assert (await http.get(f"/v1/templates/notice{path}")).status_code == reads
        assert (await http.get("/v1/templates")).status_code == reads
        assert (await http.post("/v1/templates/notice/preview", json={})).status_code == reads
        assert (await http.post("/v1/templates/notice/validate", json={"data": {}})).status_code == reads
        unsaved = {"parts": dict(LEAST), "data": {"name": "x"}}
        assert (await http.post("/v1/templates/notice/preview", json=unsaved)).status_code == writes
        assert (await http.put("/v1/templates/notice", json={"parts": dict(LEAST)})).status_code == writes
        assert (await http.post("/v1/templates/notice/publish", json={"version": 1})).status_code == writes
    assert (await reader.delete("/v1/templates/notice")).status_code == 403
    assert (await writer.delete("/v1/templates/notice")).status_code == 204
    for http in (sender, reader, writer):
        await http.aclose()


HOSTILE_NAMES = (
    "..%2f..%2fetc", "%2e%2e", "a%2e%2e", "no%74ice/x", "caf%C3%A9", "a" * 200, "%00", "a%0ab", "-dash", "_layouts",
    "_layouts/", "_layouts/..%2f..%2fx", "_Layouts/x", "a%5cb", "%F0%9F%92%A9", "a b", "_layouts/%2e%2e/x", "%ff",
)  # fmt: skip


async def test_a_hostile_name_is_nobody(desk: Desk) -> None:
    before = (await desk.http.get("/v1/templates")).json()
    for name in HOSTILE_NAMES:
        for method, path in (("PUT", ""), ("GET", ""), ("DELETE", ""), ("GET", "/versions"), ("POST", "/preview")):
            body: dict[str, Any] = {"json": {"parts": dict(LEAST)}} if method in ("PUT", "POST") else {}
            answer = await desk.http.request(method, f"/v1/templates/{name}{path}", **body)
            assert answer.status_code in (404, 405, 422), (method, name, path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
    assert (await desk.http.get("/v1/templates")).json() == before
