"""`notifier templates`, as it is installed."""

import asyncio
import base64
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeHouse
from tests.acceptance.templates.conftest import LEAST, Desk
from tests.acceptance.templates.test_folder import folder
from tests.acceptance.templates.test_pictures import PNG
from tests.support.command import Ended, run

FORCED = "?publish=true&force=true"
KEY = "ntf_live_of-the-command-line"
FIXTURES = Path(__file__).parents[2] / "unit/templating/fixtures"
GOOD = {"notice/subject.txt": "Hello {{ name }}", "notice/body.html": "<p>{{ name }}</p>\n",
        "notice/samples/default.json": '{"name": "Zoë"}'}  # fmt: skip


async def notifier(*arguments: str, cwd: Path, **environment: str) -> Ended:
    """Runs the command, beside a house in this loop."""
    return await asyncio.to_thread(run, *arguments, cwd=cwd, **environment)


async def test_a_first_template_is_made_and_passes(tmp_path: Path) -> None:
    made = await notifier("templates", "new", "hello", cwd=tmp_path)
    assert made.code == 0, made.err
    checked = await notifier("templates", "check", "--strict", cwd=tmp_path)
    assert (checked.code, checked.out) == (0, ""), checked
    shown = await notifier("templates", "preview", "hello", "--data", "name=Bo", cwd=tmp_path)
    assert (shown.code, shown.out.splitlines()[0]) == (0, "Subject: Hello Bo")


async def test_check_says_file_line_and_column(tmp_path: Path) -> None:
    files = {
        **GOOD,
        "bad/subject.txt": "x",
        "bad/body.html": "<p>\n  {{ name|shout }}</p>\n",
        "notice/body.txt": "{{ nick }}",
    }
    folder(tmp_path / "templates", files)
    human = await notifier("templates", "check", cwd=tmp_path)
    assert human.code == 1
    assert "templates/bad/body.html:2:11: error: there is no filter 'shout' [filter]\n" in human.out
    assert "templates/notice/samples/default.json:1:1: warning: data.nick: " in human.out
    assert "2 templates, 1 errors, 1 warnings" in human.err
    told = json.loads((await notifier("templates", "check", "--json", cwd=tmp_path)).out)
    (error,), (warning,) = told["errors"], told["warnings"]
    assert (error["file"], error["line"], error["column"], error["code"]) == ("bad/body.html", 2, 11, "filter")
    assert (warning["template"], warning["code"]) == ("notice", "sample")
    assert told["checked"] == ["bad", "notice"]
    only = await notifier("templates", "check", "notice", cwd=tmp_path)
    strict = await notifier("templates", "check", "notice", "--strict", cwd=tmp_path)
    assert (only.code, strict.code) == (0, 1)


async def test_what_is_asked_wrongly_ends_with_2(tmp_path: Path) -> None:
    assert (await notifier("templates", "check", cwd=tmp_path)).code == 2
    folder(tmp_path / "templates", GOOD)
    for wrong in (
        ("check", "none"),
        ("preview", "none"),
        ("preview", "notice", "--sample", "none"),
        ("check", "--no-such"),
    ):
        ended = await notifier("templates", *wrong, cwd=tmp_path)
        assert ended.code == 2, (wrong, ended)
        assert "Traceback" not in ended.err


async def test_preview_renders_as_it_would_be_sent(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES, tmp_path / "templates")
    told = await notifier("templates", "preview", "invoice", "--locale", "fr", "--json", cwd=tmp_path)
    assert json.loads(told.out)["subject"].startswith("Facture 2026-17")
    page = await notifier("templates", "preview", "invoice", "--html", cwd=tmp_path)
    assert page.out.startswith("<!doctype html>")
    refused = await notifier("templates", "preview", "invoice", "--data-file", "/dev/stdin", cwd=tmp_path)
    assert refused.code == 2
    (tmp_path / "data.json").write_text("{}")
    missing = await notifier("templates", "preview", "invoice", "--data-file", "data.json", cwd=tmp_path)
    assert missing.code == 1
    assert "data.number: " in missing.err


@pytest.fixture
async def desk(make_house: MakeHouse) -> Desk:
    return Desk(await make_house(NOTIFIER_API_KEY=KEY))


@pytest.fixture
def environment(desk: Desk) -> Mapping[str, str]:
    return {"NOTIFIER_URL": desk.house.url, "NOTIFIER_API_KEY": KEY}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where the author is; the service has a folder of its own."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


async def test_a_folder_is_pushed_and_then_the_same(desk: Desk, environment: Mapping[str, str], work: Path) -> None:
    shutil.copytree(FIXTURES, work / "mine")
    place = ("--dir", "mine")
    dry = await notifier("templates", "push", *place, "--dry-run", cwd=work, **environment)
    assert (dry.code, dry.out.splitlines()[0]) == (0, "comments: new")
    assert (await desk.http.get("/v1/templates/comments")).status_code == 404

    drafts = await notifier("templates", "push", *place, cwd=work, **environment)
    assert drafts.code == 0, drafts.err
    assert "invoice: new, version 1 draft" in drafts.out
    pushed = await notifier("templates", "push", *place, "--publish", "--force", cwd=work, **environment)
    assert pushed.code == 0, pushed.err
    assert "invoice: same, version 1 published" in pushed.out
    again = await notifier("templates", "push", *place, "--publish", cwd=work, **environment)
    assert {line.partition(": ")[2] for line in again.out.splitlines()} == {"same"}, again
    assert {
        one["draft"] for one in (await desk.http.get("/v1/templates")).json()["data"] if one["name"] == "invoice"
    } == {None}
    same = await notifier("templates", "diff", *place, "invoice", "_layouts/base.html", cwd=work, **environment)
    assert (same.code, same.out) == (0, "")
    listed = await notifier("templates", "list", cwd=work, **environment)
    assert "invoice" in listed.out
    assert "_layouts/panel.html" in listed.out


async def test_a_changed_layout_goes_with_its_templates_at_once(
    desk: Desk, environment: Mapping[str, str], work: Path
) -> None:
    """The old body does not compile with the new layout, nor the new body with the old one."""
    body = '{{% from "_layouts/l.html" import {0} %}}{{{{ {0}() }}}} {{{{ name }}}}\n'
    files = {**GOOD, "notice/body.html": body.format("one"), "_layouts/l.html": "{% macro one() %}1{% endmacro %}"}
    folder(work / "templates", files)
    first = await notifier("templates", "push", "--publish", cwd=work, **environment)
    assert first.code == 0, first.err
    folder(
        work / "templates",
        {"notice/body.html": body.format("two"), "_layouts/l.html": "{% macro two() %}2{% endmacro %}"},
    )
    differs = await notifier("templates", "diff", "notice", "_layouts/l.html", cwd=work, **environment)
    assert differs.code == 1
    assert "--- service/_layouts/l.html\n+++ folder/_layouts/l.html\n" in differs.out
    assert "+{% macro two() %}2{% endmacro %}" in differs.out
    second = await notifier("templates", "push", "--publish", cwd=work, **environment)
    assert second.code == 0, second.err
    assert second.out == "notice: changed, version 2 published\n_layouts/l.html: changed, version 2 published\n"
    assert "2" in (await desk.post("notice/preview", {})).json()["html"]
    assert (await desk.get("notice"))["version"] == 2


async def test_what_breaks_callers_is_told_before_and_refused(
    desk: Desk, environment: Mapping[str, str], work: Path
) -> None:
    folder(work / "templates", GOOD)
    assert (await notifier("templates", "push", "--publish", cwd=work, **environment)).code == 0
    folder(work / "templates", {"notice/body.html": "{{ name }} {{ customer }}"})
    dry = await notifier("templates", "push", "--publish", "--dry-run", cwd=work, **environment)
    assert (dry.code, "notice: data.customer: 'customer' must now be sent [required]" in dry.err) == (1, True)
    refused = await notifier("templates", "push", "--publish", cwd=work, **environment)
    assert (refused.code, "notice: data.customer: 'customer' must now be sent [required]" in refused.err) == (1, True)
    assert (await desk.get("notice"))["version"] == 1
    forced = await notifier("templates", "push", "--publish", "--force", cwd=work, **environment)
    assert (forced.code, forced.out) == (0, "notice: changed, version 2 published\n")
    folder(work / "templates", {"notice/body.html": "{{ name"})
    broken = await notifier("templates", "push", cwd=work, **environment)
    assert (broken.code, broken.err.startswith("templates/notice/body.html:1:")) == (1, True)


async def test_shared_files_that_need_each_other_are_all_pushed_as_drafts(
    environment: Mapping[str, str], work: Path
) -> None:
    folder(work / "templates", {
        "note/subject.txt": "Hello", "note/body.html": '{% extends "_layouts/own.html" %}',
        "_layouts/own.html": '{{ asset("own.png") }}{% include "_partials/own.html" %}', "_partials/own.html": "x",
    })  # fmt: skip
    (work / "templates/_assets").mkdir()
    (work / "templates/_assets/own.png").write_bytes(PNG)
    drafts = await notifier("templates", "push", cwd=work, **environment)
    assert (drafts.code, drafts.err) == (0, "")
    assert {line.partition(": ")[2] for line in drafts.out.splitlines()} == {"new, version 1 draft"}
    published = await notifier("templates", "push", "--publish", cwd=work, **environment)
    assert (published.code, published.err) == (0, "")


async def test_pull_brings_what_is_published_and_pushes_back_as_the_same(
    desk: Desk, environment: Mapping[str, str], work: Path
) -> None:
    picture = base64.b64encode(PNG).decode()
    parts = {**LEAST, "body.html": '<img src="{{ asset("map.png") }}" alt="" width="1">{{ name }}\n'}
    more = {"samples": {"default": {"name": "Zoë"}}, "settings": {"category": "news"}, "schema": {"type": "object"}}
    await desk.saved("notice", parts, assets={"assets/map.png": picture}, description="A notice", **more)
    pulled = await notifier("templates", "pull", cwd=work, **environment)
    assert pulled.code == 0, pulled.err
    home = work / "templates"
    assert (home / "notice/assets/map.png").read_bytes() == PNG
    assert (home / "notice/template.toml").read_text() == 'description = "A notice"\ncategory = "news"\n'
    assert (home / "_assets/logo.png").is_file()
    assert (await notifier("templates", "check", cwd=work)).code == 0
    assert (await notifier("templates", "diff", cwd=work, **environment)).code == 0
    again = await notifier("templates", "pull", cwd=work, **environment)
    assert (again.code, again.out) == (0, "")
    pushed = await notifier("templates", "push", cwd=work, **environment)
    assert {line.partition(": ")[2] for line in pushed.out.splitlines()} == {"same"}

    (home / "notice/template.toml").write_text('# a comment stays\ncategory = "news"\ndescription = "A notice"\n')
    await desk.saved("notice", LEAST, description="A notice", assets={}, settings={"category": "news"}, query=FORCED)
    changed = await notifier("templates", "pull", "notice", cwd=work, **environment)
    assert changed.code == 0, changed.err
    assert (home / "notice/body.html").read_text() == LEAST["body.html"]
    assert not (home / "notice/schema.json").exists()
    assert "# a comment stays" in (home / "notice/template.toml").read_text()
    assert (await notifier("templates", "pull", "none", cwd=work, **environment)).code == 1


async def test_a_service_that_is_away_or_a_bad_key_is_one_sentence(desk: Desk, work: Path) -> None:
    away = await notifier("templates", "list", "--url", "http://127.0.0.1:9", "--key", "x", cwd=work)
    bad = await notifier("templates", "list", "--url", desk.house.url, "--key", "ntf_live_wrong", cwd=work)
    none = await notifier("templates", "list", "--url", desk.house.url, cwd=work)
    assert (away.code, bad.code, none.code) == (1, 1, 2)
    for ended in (away, bad, none):
        assert ended.err.startswith("notifier: ")
        assert len(ended.err.splitlines()) == 1
