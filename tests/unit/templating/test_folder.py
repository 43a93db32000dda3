"""Folders and bundles: closures, hashes, and faults that stay where they are."""

import json
from pathlib import Path

import pytest

from notifier.templating import Bundle, TemplateBroken, close, compile_bundle, locale_chain, read_folder, write_bundle
from notifier.templating.bundle import TemplateOptions


def lay(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("part", "text", "place", "code"),
    [
        ("body.html", "ok\n  {% if %}", "2:9", "syntax"),
        ("body.html", "a\nb {{ x y }}", "2:8", "syntax"),
        ("body.html", "a\n  {{ x|nope }}", "2:8", "filter"),
        ("body.html", "{{ x is nope }}", "1:6", "test"),
        ("body.html", "{% unknown %}", "1:4", "syntax"),
        ("body.html", "\n{{ a ? b }}", "2:6", "syntax"),
        ("body.html", "{% include 'gone.html' %}", "1:4", "file"),
        ("body.html", "<img src='{{ asset('gone.png') }}'>", "1:14", "asset"),
        ("body.html", "{% block a %}{% endblock %}\n{% block a %}{% endblock %}", "2:4", "syntax"),
        ("template.toml", 'description = "x"\nlocale = ', "2:", "syntax"),
        ("template.toml", 'loclae = "en"', "1:1", "unknown"),
        ("template.toml", 'timezone = "Mars/Base"', "1:1", "timezone"),
        ("template.toml", 'expires_after = "soon"', "1:1", "type"),
        ("samples/default.json", '{\n "a": }', "2:7", "syntax"),
        ("locales/fr/messages.po", 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=__import__;\\n"\n', "1:1", "syntax"),  # noqa: E501 - a file of the template
        ("locales/not_a_locale!/subject.txt", "x", "1:1", "locale"),
    ],
)  # fmt: skip
def test_a_broken_template_is_reported_with_its_place_and_takes_down_nobody(
    tmp_path: Path, part: str, text: str, place: str, code: str
) -> None:
    files = {"good/subject.txt": "s", "good/body.txt": "b", "bad/subject.txt": "s", "bad/body.html": "{{ _('x') }}"}
    read = read_folder(lay(tmp_path, files | {f"bad/{part}": text}))

    assert list(read.bundles) == ["good"]
    assert list(read.faults) == ["bad"]
    assert read.faults["bad"][0].field.startswith(f"bad/{part.removesuffix('/subject.txt')}:{place}")
    assert read.faults["bad"][0].code == code


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    files = {
        "t/subject.txt": "{{",
        "t/body.html": "{{ a|b }}{{ c|no }}{% extends '_layouts/l.html' %}",
        "_layouts/l.html": "{{ e is f }}",
    }
    faults = read_folder(lay(tmp_path, files)).faults["t"]
    assert {fault.field.rpartition(":")[0] for fault in faults} == {
        "t/subject.txt:1",
        "t/body.html:1",
        "_layouts/l.html:1",
    }
    assert len(faults) == 4


def test_a_template_needs_a_subject_and_a_body(tmp_path: Path) -> None:
    read = read_folder(lay(tmp_path, {"a/subject.txt": "x", "b/body.txt": "x", "_layouts/x.html": "", ".git/x": ""}))
    assert {name: faults[0].code for name, faults in read.faults.items()} == {"a": "part", "b": "part"}


def test_a_file_that_is_not_text_is_a_fault(tmp_path: Path) -> None:
    lay(tmp_path, {"t/subject.txt": "x", "t/body.txt": "x"})
    (tmp_path / "t/preheader.txt").write_bytes(b"\xff\xfe")
    assert read_folder(tmp_path).faults["t"][0].code == "encoding"


FILES = {
    "_layouts/base.html": "{% include '_partials/a.html' %}",
    "_layouts/other.html": "no",
    "_partials/a.html": "<img src='{{ asset('p.png') }}' alt='' width='1'>{{ _('x') }}",
    "_locales/fr/messages.po": 'msgid ""\nmsgstr ""\n\nmsgid "x"\nmsgstr "y"\n',
    "t/subject.txt": "s",
    "t/body.html": "{% extends '_layouts/base.html' %}",
    "t/notes.txt": "not a part",
    "u/subject.txt": "other",
}
ASSETS = {"_assets/p.png": b"1", "_assets/q.png": b"2"}


def test_a_bundle_is_all_that_is_reached_and_nothing_more() -> None:
    bundle = close("t", FILES, ASSETS)
    assert list(bundle.files) == [
        "_layouts/base.html", "_locales/fr/messages.po", "_partials/a.html", "t/body.html", "t/subject.txt"
    ]  # fmt: skip
    assert list(bundle.assets) == ["_assets/p.png"]


def test_the_hash_follows_everything_that_is_reached() -> None:
    first = close("t", FILES, ASSETS).hash
    assert first == "baeeea2dd9e85bbe8ab37e244f68028b31f4c31191fde74881fa6293d96fe99b", (
        "the same on every machine, and in every release"
    )
    assert close("t", dict(reversed(FILES.items())), ASSETS).hash == first
    assert close("t", {**FILES, "_layouts/other.html": "changed", "u/subject.txt": "z"}, ASSETS).hash == first
    for path in ("_layouts/base.html", "_locales/fr/messages.po", "_partials/a.html", "t/subject.txt"):
        assert close("t", {**FILES, path: FILES[path] + "\n"}, ASSETS).hash != first
    assert close("t", FILES, {**ASSETS, "_assets/p.png": b"3"}).hash != first
    assert close("t", {**FILES, "t/schema.json": "{}"}, ASSETS).hash != first


def test_a_bundle_goes_to_a_store_and_back(tmp_path: Path) -> None:
    bundle = close("t", FILES, ASSETS)
    stored = json.loads(json.dumps(bundle.to_json()))
    digests = {stored["assets"][path]: content for path, content in bundle.assets.items()}
    assert Bundle.from_json(stored, digests) == bundle
    assert Bundle.from_wire(json.loads(json.dumps(bundle.to_wire()))).hash == bundle.hash
    write_bundle(bundle, tmp_path)
    assert read_folder(tmp_path).bundles["t"].hash == bundle.hash


def test_a_bundle_never_writes_outside_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leads out"):
        write_bundle(Bundle("t", {"../x.txt": ""}), tmp_path / "inner")
    assert not (tmp_path / "x.txt").exists()


def test_a_file_beside_the_part_is_found_by_its_name() -> None:
    files = {"t/subject.txt": "s", "t/body.html": "{% include 'row.html' %}", "t/row.html": "<b>row</b>"}
    assert "t/row.html" in close("t", files, {}).files
    assert compile_bundle(close("t", files, {})).locales == ("en",)


def test_options_read_what_they_write() -> None:
    options = TemplateOptions.from_mapping(
        {
            "from": "a@example.com",
            "reply_to": "b@example.com",
            "expires_after": "90m",
            "priority": "high",
            "locale": "fr",
        }
    )
    assert options.expires_after == 5400
    assert options.reply_to == ("b@example.com",)
    assert TemplateOptions.from_mapping(options.to_mapping()) == options
    assert close("t", {**FILES, "t/template.toml": options.to_toml()}, ASSETS).options == options


def test_a_bad_name_is_no_template() -> None:
    for name in ("../x", "a/b", "", "-a", "a b"):
        with pytest.raises(TemplateBroken):
            close(name, {f"{name}/subject.txt": "s", f"{name}/body.txt": "b"}, {})


def test_a_locale_falls_back_from_near_to_far() -> None:
    assert locale_chain("zh_hant-tw") == ("zh-Hant-TW", "zh-Hant", "zh")
