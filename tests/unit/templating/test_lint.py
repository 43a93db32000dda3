"""Lint: each warning appears where its fault is, and nowhere else."""

import pytest

from notifier.templating.lint import lint
from tests.unit.templating.conftest import Make

SAMPLE = {"samples/default.json": '{"name": "Zoë", "url": "https://example.com/"}'}
GOOD = {"subject.txt": "Hi {{ name }}", "body.html": "<p>{{ name }} <a href='{{ url }}'>x</a></p>"}


def found(make: Make, parts: dict[str, str]) -> set[tuple[str, str]]:
    assets = {"_assets/a.png": b"x"}
    return {(warning.field, warning.code) for warning in lint(make({**SAMPLE, **GOOD, **parts}, assets))}


def test_a_good_template_has_no_warnings(make: Make) -> None:
    assert found(make, {}) == set()


@pytest.mark.parametrize(
    ("parts", "warning"),
    [
        ({"samples/default.json": "{}"}, ("t/samples/default.json:1:1", "sample")),
        ({"schema.json": '{"properties": {"url": {}}}'}, ("t/subject.txt:1:7", "undefined")),
        ({"schema.json": '{"properties": {"url": {}, "name": {}, "x": {}}}'}, ("t/schema.json:1:1", "unused")),
        ({"locales/fr/subject.txt": "Salut {{ name }}"}, ("t/locales/fr/subject.txt:1:1", "locale")),
        ({"locales/fr/subject.txt": "x", "locales/fr/body.html": "<p>x</p>"}, ("t/locales/fr/subject.txt:1:1", "locale")),  # noqa: E501 - a file of the template
        ({"body.html": "{{ url }}\n{{ name|safe }}"}, ("t/body.html:2:9", "safe")),
        ({"body.html": "{{ url }}{% autoescape false %}{{ name }}{% endautoescape %}"}, ("t/body.html:1:13", "safe")),
        ({"body.html": "{{ url }}\n <img src='{{ asset('a.png') }}' width='1'>"}, ("t/body.html:2:2", "alt")),
        ({"body.html": "{{ url }}<img src='{{ asset('a.png') }}' alt=''>"}, ("t/body.html:1:10", "size")),
        ({"body.html": "{{ url }}<p style='display: flex'>"}, ("t/body.html:1:20", "css")),
        ({"body.html": "{{ url }}<style>a { position:absolute }</style>"}, ("t/body.html:1:21", "css")),
        ({"body.html": "{{ url }}\n<p><Form action='https://x.test'>"}, ("t/body.html:2:4", "element")),
        ({"body.html": "{{ url }}<a href='/relative'>"}, ("t/body.html:1:1", "link")),
        ({"body.html": "{{ url }}<a href=''>"}, ("t/body.html:1:1", "link")),
        ({"body.html": "{{ url }}{{ '{{ name }}' }}"}, ("t/body.html:1:1", "leftover")),
        ({"body.html": "{{ url }}" + "x" * 105_000}, ("t/body.html:1:1", "size")),
        ({"subject.txt": "{{ name }}" + "x" * 80}, ("t/subject.txt:1:1", "subject")),
    ],
)  # fmt: skip
def test_what_will_surprise_is_warned_of(make: Make, parts: dict[str, str], warning: tuple[str, str]) -> None:
    assert warning in found(make, parts)


def test_a_template_without_a_sample_is_told_so(make: Make) -> None:
    assert [warning.code for warning in lint(make(GOOD))] == ["sample"]


def test_a_locale_whose_words_come_from_a_catalogue_needs_no_body(make: Make) -> None:
    parts = {
        "body.html": "<p>{{ _('x') }} {{ url }}</p>",
        "_locales/fr/messages.po": 'msgid ""\nmsgstr ""\n\nmsgid "x"\nmsgstr "y"\n',
        "locales/fr/subject.txt": "Salut {{ name }}",
    }
    assert found(make, parts) == set()
