"""Publishing breaks no caller, and a shared file breaks no template."""

from typing import Any

from tests.acceptance.templates.conftest import LEAST, Desk, faults

NEEDS_CUSTOMER = {**LEAST, "body.html": "<p>Dear {{ name }} of {{ customer }}</p>\n"}
LAYOUT = "<!doctype html><title>{{ subject }}</title>{% block content %}{% endblock %}\n"
LAID_OUT = {
    "subject.txt": "Hello {{ name }}",
    "body.html": '{% extends "_layouts/plain.html" %}{% block content %}<p>Dear {{ name }}</p>{% endblock %}\n',
}


async def accepted(desk: Desk, *data: dict[str, Any]) -> None:
    await desk.house.stop()
    items = [{"template": "notice", "to": "a@b.test", "data": one} for one in data]
    answer = await desk.http.post("/v1/notifications/batch", json={"notifications": items})
    assert answer.status_code == 202, answer.text


async def test_publishing_what_callers_do_not_send_is_refused_with_the_list(desk: Desk) -> None:
    await desk.saved("notice")
    await accepted(desk, *({"name": "Zoë", "customer": "secret-value"} for _ in range(190)))
    await accepted(desk, *({"name": "secret-name"} for _ in range(12)))
    draft = (await desk.put("notice", NEEDS_CUSTOMER)).json()
    assert draft["state"] == "draft"

    refused = await desk.publish("notice", draft["version"])
    assert (refused.status_code, refused.json()["code"]) == (409, "breaking_change")
    told = {(one["field"], one["code"]): one["message"] for one in refused.json()["errors"]}
    assert told.keys() == {("data.customer", "required"), ("data.customer", "recent")}
    assert "12 of 200 did not send `customer`" in told["data.customer", "recent"]
    assert "secret" not in refused.text
    assert (await desk.get("notice"))["version"] == 1

    at_once = await desk.put("notice", NEEDS_CUSTOMER, query="?publish=true")
    assert at_once.status_code == 409
    assert await desk.audit("template.publish") == [
        ("key acceptance", "notice", {"version": 1, "forced": False, "breaks": []})
    ]


async def test_force_publishes_and_is_recorded_with_what_it_breaks(desk: Desk) -> None:
    await desk.saved("notice")
    await accepted(desk, {"name": "secret-name"})
    draft = (await desk.put("notice", NEEDS_CUSTOMER)).json()
    forced = await desk.publish("notice", draft["version"], force=True)
    assert (forced.status_code, forced.json()["state"]) == (200, "published")
    actor, subject, detail = (await desk.audit("template.publish"))[-1]
    assert (actor, subject, detail["version"], detail["forced"]) == ("key acceptance", "notice", 2, True)
    assert detail["breaks"] == [
        "'customer' must now be sent",
        "1 of 1 did not send `customer`, of the requests accepted last",
    ]
    assert "secret" not in str(detail)


async def test_force_on_a_put_publishes_too(desk: Desk) -> None:
    await desk.saved("notice")
    answer = await desk.put("notice", NEEDS_CUSTOMER, query="?publish=true&force=true")
    assert (answer.status_code, answer.json()["state"]) == (200, "published")


async def test_other_types_and_names_now_refused_break_callers_too(desk: Desk) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"name": {}, "rows": {"type": "array"}}}
    await desk.saved("notice", schema=schema)
    await accepted(desk, {"name": "Zoë", "rows": [{"n": 1}, {"n": "secret"}]}, {"name": 5})
    rows = {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    closed = {"type": "object", "properties": {"name": {"type": "string"}, "rows": rows}, "additionalProperties": False}
    refused = await desk.put("notice", schema=closed, query="?publish=true")
    told = {(one["field"], one["code"]): one["message"] for one in refused.json()["errors"]}
    assert ("data.name", "type") in told
    assert told["data.rows[].n", "recent"].startswith("1 of 2 would be refused for `rows[].n` (type)")
    assert told["data.name", "recent"].startswith("1 of 2 would be refused for `name` (type)")
    assert "secret" not in refused.text


async def test_what_breaks_nobody_is_published_without_a_word(desk: Desk) -> None:
    await desk.saved("notice")
    await accepted(desk, {"name": "Zoë"})
    more = {**LEAST, "body.html": "<p>Dear {{ name }}{% if nick %}, {{ nick }}{% endif %}</p>\n"}
    optional = {**LEAST, "body.html": "<p>{{ name }}{{ nick|default('') }}</p>\n"}
    assert (await desk.saved("notice", optional))["version"] == 2
    assert (await desk.put("notice", more, query="?publish=true")).status_code == 409


async def test_a_layout_makes_new_versions_of_what_depends_on_it(desk: Desk) -> None:
    assert (await desk.saved("_layouts/plain.html", {"plain.html": LAYOUT}))["renewed"] == []
    await desk.saved("notice", LAID_OUT)
    await desk.saved("other")
    changed = LAYOUT.replace("<title>", '<meta charset="utf-8"><title>')
    draft = (await desk.put("_layouts/plain.html", {"plain.html": changed})).json()
    assert (draft["state"], draft["renewed"]) == ("draft", [])
    assert "charset" not in (await desk.post("notice/preview", {"data": {"name": "Zoë"}})).json()["html"]

    published = (await desk.publish("_layouts/plain.html", draft["version"])).json()
    assert (published["renewed"], published["drafted"]) == (["notice"], [])
    assert (await desk.get("notice"))["version"] == 2
    assert "charset" in (await desk.post("notice/preview", {"data": {"name": "Zoë"}})).json()["html"]
    old = (await desk.post("notice/preview", {"data": {"name": "Zoë"}, "version": 1})).json()
    assert "charset" not in old["html"]
    assert (await desk.get("other"))["version"] == 1
    (_, _, detail) = (await desk.audit("template.publish"))[-1]
    assert detail["renewed"] == ["notice"]


async def test_what_was_edited_in_the_pages_gets_a_draft_of_a_new_layout(desk: Desk) -> None:
    from notifier.domain.template import Source

    await desk.saved("_layouts/plain.html", {"plain.html": LAYOUT})
    editor = desk.house.service.editor
    await editor.save("notice", Source(LAID_OUT), author="admin", publish=True, origin="pages")
    changed = await desk.saved("_layouts/plain.html", {"plain.html": f"{LAYOUT}<hr>\n"})
    assert (changed["renewed"], changed["drafted"]) == ([], ["notice"])
    newest, published = (await desk.get("notice/versions"))["data"]
    assert (newest["state"], newest["origin"], published["state"]) == ("draft", "pages", "published")
    assert newest["note"] == "_layouts/plain.html changed"


async def test_a_broken_layout_is_refused_with_every_place(desk: Desk) -> None:
    await desk.saved("_layouts/plain.html", {"plain.html": "{% macro hr() %}<hr>{% endmacro %}" + LAYOUT})
    uses = {**LAID_OUT, "body.html": '{% from "_layouts/plain.html" import hr %}{{ hr() }}{{ name }}\n'}
    for name in ("first", "second"):
        await desk.saved(name, uses)
    syntax = await desk.put("_layouts/plain.html", {"plain.html": f"{LAYOUT}{{% if %}}"})
    assert faults(syntax) == {"parts.plain.html:2:7": "syntax"}

    lost = await desk.put("_layouts/plain.html", {"plain.html": '{% include "_partials/lost.html" %}'})
    assert faults(lost) == {"parts.plain.html:1:4": "file"}
    await desk.saved("_layouts/a.html", {"a.html": "x"})
    await desk.saved(
        "_layouts/plain.html", {"plain.html": '{% macro hr() %}{% include "_layouts/a.html" %}{% endmacro %}'}
    )
    cycle = await desk.put("_layouts/a.html", {"a.html": '{% include "_layouts/plain.html" %}'})
    assert cycle.status_code == 422
    assert (await desk.get("first"))["version"] == (await desk.get("second"))["version"] == 2


async def test_a_layout_that_asks_more_of_callers_is_refused_with_every_template(desk: Desk) -> None:
    await desk.saved("_layouts/plain.html", {"plain.html": LAYOUT})
    for name in ("notice", "other"):
        await desk.saved(name, LAID_OUT)
    asks = {"plain.html": LAYOUT.replace("</title>", " {{ company }}</title>")}
    refused = await desk.put("_layouts/plain.html", asks, query="?publish=true")
    assert (refused.status_code, refused.json()["code"]) == (409, "breaking_change")
    assert faults(refused) == {"notice: data.company": "required", "other: data.company": "required"}
    assert (await desk.get("notice"))["version"] == 1
    forced = (await desk.put("_layouts/plain.html", asks, query="?publish=true&force=true")).json()
    assert forced["renewed"] == ["notice", "other"]


async def test_a_shared_file_in_use_is_not_deleted(desk: Desk) -> None:
    await desk.saved("_layouts/plain.html", {"plain.html": LAYOUT})
    await desk.saved("notice", LAID_OUT)
    refused = await desk.http.delete("/v1/templates/_layouts/plain.html")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert "notice" in refused.json()["detail"]
    await desk.http.delete("/v1/templates/notice")
    assert (await desk.http.delete("/v1/templates/_layouts/plain.html")).status_code == 204
    assert (await desk.put("again", LAID_OUT)).status_code == 422


async def test_shared_files_cannot_be_sent_and_take_one_text(desk: Desk) -> None:
    await desk.saved("_layouts/plain.html", {"plain.html": LAYOUT})
    body = {"template": "_layouts/plain.html", "to": "a@b.test", "data": {}}
    assert faults(await desk.http.post("/v1/notifications", json=body)) == {"template": "unknown"}
    two = await desk.put("_layouts/plain.html", {"a": "x", "b": "y"})
    assert faults(two) == {"parts": "count"}


async def test_an_author_may_bring_shared_files_along(desk: Desk) -> None:
    """As one push of a folder does: a version is made of the folder as it is, whatever is published."""
    draft = await desk.put("notice", LAID_OUT, shared={"_layouts/plain.html": LAYOUT})
    assert draft.status_code == 200, draft.text
    whole = await desk.get("notice")
    assert list(whole["shared"]) == ["_layouts/plain.html"]
    published = await desk.saved("_layouts/plain.html", {"plain.html": LAYOUT}, shared={"_layouts/plain.html": LAYOUT})
    assert published["renewed"] == []


async def test_a_catalogue_reaches_what_translates(desk: Desk) -> None:
    parts = {"subject.txt": "Hi", "body.html": "{% trans %}Good evening{% endtrans %} {{ name }}\n"}
    await desk.saved("notice", parts)
    po = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Good evening"\nmsgstr "Guten Abend"\n'
    added = await desk.saved("_locales/de/messages.po", {"messages.po": po})
    assert "notice" in added["renewed"]
    told = (await desk.post("notice/preview", {"data": {"name": "Zoë"}, "locale": "de"})).json()
    assert (told["locale"], "Guten Abend" in told["html"]) == ("de", True)
    broken = await desk.put("_locales/de/messages.po", {"messages.po": po + "nonsense\n"})
    assert list(faults(broken).values()) == ["syntax"]
    assert next(iter(faults(broken))).startswith("parts.messages.po:")
