"""Rendering: parts, locales, Markdown, pictures, and that it is a pure function."""

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import pytest

from notifier.templating import RenderFailed, TemplateBroken
from tests.unit.templating.conftest import Make


def test_a_subject_is_one_line(make: Make, at: datetime) -> None:
    template = make({"subject.txt": "\n  Order\n\t{{ id }}  \n", "body.txt": "x"})
    assert template.render({"id": "A\r\n 1\x00\u2028"}, at=at).subject == "Order A 1"


def test_an_empty_subject_is_refused(make: Make, at: datetime) -> None:
    with pytest.raises(RenderFailed) as failed:
        make({"subject.txt": "{{ s }}", "body.txt": "x"}).render({"s": " "}, at=at)
    assert [(fault.field, fault.code) for fault in failed.value.faults] == [("t/subject.txt:1:1", "empty")]


def test_html_is_escaped_and_text_is_not(make: Make, at: datetime) -> None:
    rendered = make({"subject.txt": "{{ n }}", "body.html": "<p>{{ n }}</p>", "body.txt": "{{ n }}"}).render(
        {"n": "<&'\">"}, at=at
    )
    assert rendered.subject == "<&'\">"
    assert rendered.html == "<p>&lt;&amp;&#39;&#34;&gt;</p>"
    assert rendered.text == "<&'\">\n"


def test_data_in_a_text_partial_is_escaped_where_html_includes_it(make: Make, at: datetime) -> None:
    template = make(
        {
            "_partials/hello.txt": "Hello {{ n }}{% include '_partials/more.txt' %}",
            "_partials/more.txt": "!{{ n }}",
            "_partials/m.txt": "{% macro m(x) %}{{ x }}{% endmacro %}",
            "body.html": "<p>{% include '_partials/hello.txt' %}</p>{% from '_partials/m.txt' import m %}{{ m(n) }}",
            "body.txt": "{% include '_partials/hello.txt' %}{% from '_partials/m.txt' import m %}{{ m(n) }}",
        }
    )
    rendered = template.render({"n": "<b>"}, at=at)
    assert rendered.html == "<p>Hello &lt;b&gt;!&lt;b&gt;</p>&lt;b&gt;"
    assert rendered.text == "Hello <b>!<b><b>\n"
    assert template.verdict({}, at=at).faults[0].message.endswith("_partials/hello.txt:1:10 uses it")


def test_layouts_and_bodies_see_the_rendered_subject(make: Make, at: datetime) -> None:
    template = make(
        {
            "_layouts/base.html": "<title>{{ subject }}</title>{{ preheader }}|{% block content %}{% endblock %}",
            "subject.txt": "Hi {{ n }}",
            "preheader.txt": "for {{ n }}",
            "body.html": '{% extends "_layouts/base.html" %}{% block content %}{{ subject }}{% endblock %}',
        }
    )
    assert template.render({"n": "Zoë"}, at=at).html == "<title>Hi Zoë</title>for Zoë|Hi Zoë"


def test_data_wins_over_what_a_render_brings_along(make: Make, at: datetime) -> None:
    template = make({"body.txt": "{{ subject }} {{ locale }} {{ order.items }} {{ order.values }}"})
    data = {"subject": "mine", "locale": "xx", "order": {"items": 3, "values": "v"}}
    assert template.render(data, at=at).text == "mine xx 3 v\n"


def test_a_method_is_reached_by_calling_it_even_beside_a_key_of_that_name(make: Make, at: datetime) -> None:
    template = make({"body.txt": "{% for k, v in order.items() %}{{ k }}={{ v }};{% endfor %}"})
    assert template.render({"order": {"items": 1, "b": 2}}, at=at).text == "items=1;b=2;\n"


def test_a_key_that_is_missing_is_not_the_method(make: Make, at: datetime) -> None:
    verdict = make({"body.txt": "{% for i in order.items %}{{ i }}{% endfor %}"}).verdict({"order": {}}, at=at)
    assert [fault.field for fault in verdict.faults] == ["data.order.items"]


@pytest.mark.parametrize(
    ("asked", "words", "date"),
    [
        (None, "en", "Jan 31, 2026"),
        ("fr", "fr", "31 janv. 2026"),
        ("fr-CA", "fr-CA", "31 janv. 2026"),
        ("fr_ch", "fr", "31 janv. 2026"),
        ("FR-be", "fr", "31 janv. 2026"),
        ("en-GB", "en", "31 Jan 2026"),
        ("ja", "en", "Jan 31, 2026"),
    ],
)
def test_a_locale_falls_back_file_by_file(make: Make, at: datetime, asked: str, words: str, date: str) -> None:
    template = make(
        {
            "subject.txt": "root",
            "body.html": "<p>root {{ now|date }}</p>",
            "locales/fr/body.html": "<p>fr {{ now|date }}</p>",
            "locales/fr_CA/subject.txt": "fr-CA",
        }
    )
    rendered = template.render({}, locale=asked, at=at)
    assert template.locales == ("en", "fr", "fr-CA")
    assert rendered.locale == words
    assert rendered.subject == ("fr-CA" if words == "fr-CA" else "root")
    assert rendered.text is not None
    assert rendered.text.endswith(f"{date}\n")


def test_a_text_body_in_another_language_than_the_html_is_not_sent(make: Make, at: datetime) -> None:
    template = make({"body.html": "<p>Hello</p>", "body.txt": "Hello there", "locales/fr/body.html": "<p>Bonjour</p>"})
    assert template.render({}, at=at).text == "Hello there\n"
    assert template.render({}, locale="fr", at=at).text == "Bonjour\n"


def test_catalogues_translate_with_plurals_contexts_and_fallbacks(make: Make, at: datetime) -> None:
    head = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n\n'
    template = make(
        {
            "_locales/fr/messages.po": head + 'msgid "Yes"\nmsgstr "Oui"\n\nmsgctxt "m"\nmsgid "May"\nmsgstr "Mai"\n',
            "locales/fr-CA/messages.po": head
            + 'msgid "%(n)s %% item of <%(w)s>"\nmsgid_plural "%(n)s %% items of <%(w)s>"\n'
            + 'msgstr[0] "%(n)s %% article de <%(w)s>"\nmsgstr[1] "%(n)s %% articles de <%(w)s>"\n',
            "body.html": "{{ _('Yes') }} {{ pgettext('m', 'May') }} {% trans n=n, w=w %}{{ n }} % item of <{{ w }}>"
            "{% pluralize n %}{{ n }} % items of <{{ w }}>{% endtrans %}",
        }
    )
    data = {"n": 0, "w": "<b>"}
    assert template.render(data, at=at).html == "Yes May 0 % items of <&lt;b&gt;>"
    assert template.render(data, locale="fr", at=at).html == "Oui Mai 0 % items of <&lt;b&gt;>"
    assert template.render(data, locale="fr-CA", at=at).html == "Oui Mai 0 % article de <&lt;b&gt;>"


def test_an_imported_module_speaks_each_readers_language(make: Make, at: datetime) -> None:
    template = make(
        {
            "_locales/fr/messages.po": 'msgid ""\nmsgstr ""\n\nmsgid "Hello"\nmsgstr "Bonjour"\n',
            "_partials/words.html": "{% set hello = _('Hello') %}",
            "body.html": "{% import '_partials/words.html' as words %}{{ words.hello }}",
        }
    )
    assert [template.render({}, locale=locale, at=at).html for locale in ("fr", "en", "fr")] == [
        "Bonjour", "Hello", "Bonjour"
    ]  # fmt: skip


def test_markdown_gives_html_in_the_layout_and_text(make: Make, at: datetime) -> None:
    template = make(
        {
            "_layouts/base.html": "<main>{% block content %}{% endblock %}</main>",
            "_layouts/base.txt": "{% block content %}{% endblock %}\n-- \nAcme\n",
            "body.md": "# Hi {{ name }}\n\n{% for item in items %}\n- {{ item }}\n{% endfor %}\n\n[Go]({{ url }})\n",
        }
    )
    data = {
        "name": "*Zoë* <b>",
        "items": ["1. a", "[b](http://e.example)"],
        "url": "https://example.com/a_b_c?x=1&y=(2)",
    }
    rendered = template.render(data, at=at)
    assert rendered.html == (
        "<main><h1>Hi *Zoë* &lt;b&gt;</h1>\n<ul>\n<li>1. a</li>\n<li>[b](http://e.example)</li>\n</ul>\n"
        '<p><a href="https://example.com/a_b_c?x=1&amp;y=(2)">Go</a></p>\n\n</main>'
    )
    assert rendered.text == (
        "Hi *Zoë* <b>\n\n- 1. a\n- [b](http://e.example)\n\nGo (https://example.com/a_b_c?x=1&y=(2))\n--\nAcme\n"
    )


@pytest.mark.parametrize(
    "body",
    [
        "{{ n }}", "{{ 'Hi ' ~ n }}", "{{ ('%s'|safe) % n }}",
        "{{ n|e }}", "{{ [n]|join(', ') }}", "{{ n|tojson }}", "{{ n|urlize }}", "{{ n|nl2br }}",
        "{% trans %}Hi {{ n }}{% endtrans %}", "{{ _('%(x)s', x=n) }}", "{% include '_partials/p.txt' %}",
        "{% include '_partials/p.html' %}",
        "{% from '_partials/m.html' import m %}{{ m(n) }}", "{{ ('-'|safe).join([n]) }}", "{{ '%s'|format(n) }}",
        "{{ ('<'|safe) ~ n }}", "{% set x %}{{ n }}{% endset %}{{ x }}", "{{ '{}'.format(n) }}",
        "{{ n|replace('q', 'r') }}",
        "{{ ('{}'|safe).format(n) }}", "{{ ('%s'|safe)|format(n) }}",
        "{{ (''|safe) + n }}", "{{ n + (''|safe) }}", "{% set x %}Hi {% endset %}{{ x + n }}",
        "{% from '_partials/m.html' import m %}{{ m('') + n }}",
        "{{ '@'|safe|replace('@', n) }}", "{{ '@'|replace('@'|safe, n) }}", "{{ ('@'|safe).replace('@', n) }}",
        "{{ ['@'|safe]|map('replace', '@', n)|first }}", "{{ n|replace('q', 'r'|safe) }}",
        "{{ ('a' * 99)|safe|truncate(40, true, n, 0) }}", "{{ 'a\nb'|safe|indent(n) }}",
        "{{ (''|safe).join({n: 1}) }}", "{{ (' '|safe).join({'k': n}.values()) }}",
        "{{ missing|default(n|e) }}", "{{ [n|e, 'z']|min }}", "{{ ['%s'|safe]|map('format', n)|first }}",
    ],
)  # fmt: skip
def test_no_link_comes_out_of_data_in_markdown(make: Make, at: datetime, body: str) -> None:
    macro = "{% macro m(x) %}{{ x }}{% endmacro %}"
    template = make(
        {"_partials/p.html": "{{ n }}", "_partials/p.txt": "{{ n }}", "_partials/m.html": macro, "body.md": body}
    )
    rendered = template.render({"n": "[x](https://evil.example)"}, at=at)
    assert "<a" not in str(rendered.html)
    assert "[x](" in str(rendered.text)


@pytest.mark.parametrize(
    "body",
    [
        "{{ m('*a*') + '' }}", "{{ [m('*a*')]|first }}", "{{ [m('*a*')]|last }}", "{{ none|default(m('*a*'), true) }}",
        "{{ ['%s'|safe]|map('format', '*a*')|first }}", "{{ '@'|replace('@', m('*a*')) }}",
    ],
)  # fmt: skip
def test_what_was_escaped_for_markdown_is_not_escaped_again(make: Make, at: datetime, body: str) -> None:
    macro = "{% macro m(x) %}**b** {{ x }}{% endmacro %}"
    html = make({"body.md": macro + body}).render({}, at=at).html
    assert html in ("<p><strong>b</strong> *a*</p>\n", "<p>*a*</p>\n")


def test_no_emphasis_comes_out_of_an_escaped_text_as_json(make: Make, at: datetime) -> None:
    rendered = make({"body.md": "{{ n|e|tojson }}"}).render({"n": "*b*"}, at=at)
    assert "<em" not in str(rendered.html)


def test_a_format_that_shows_a_text_as_a_program_would_is_refused_where_it_is_escaped(make: Make, at: datetime) -> None:
    found = make({"body.md": "{{ '%r'|safe|format(n) }}"}).verdict({"n": "[x](https://evil.example)"}, at=at)
    assert [fault.message for fault in found.faults] == ["the format '%r' would undo what is escaped"]


def test_what_a_safe_text_is_indented_by_is_escaped_in_html(make: Make, at: datetime) -> None:
    assert make({"body.html": "{{ 'a\nb'|safe|indent(n) }}"}).render({"n": "<b>"}, at=at).html == "a\n&lt;b&gt;b"
    assert make({"body.txt": "{{ 'a\nb'|safe|indent(n) }}"}).render({"n": "> "}, at=at).text == "a\n> b\n"


def test_a_tag_alone_on_its_line_leaves_no_line_in_text(make: Make, at: datetime) -> None:
    body = "a\n{% if x %}\nb\n{% endif %}\n{# note #}\nc{% if x %} d{% endif %}\n{% for i in [1, 2] %}\n- {{ i }}\n{% endfor %}\ne\n"  # noqa: E501 - a file of the template
    assert make({"body.txt": body}).render({"x": True}, at=at).text == "a\nb\nc d\n- 1\n- 2\ne\n"


def test_null_prints_nothing_and_a_list_is_refused(make: Make, at: datetime) -> None:
    template = make({"body.txt": "[{{ x }}]"})
    assert template.render({"x": None}, at=at).text == "[]\n"
    assert template.verdict({"x": [1]}, at=at).faults[0].message == "a list cannot be printed"


def test_only_pictures_that_were_shown_go_with_the_mail(make: Make, at: datetime) -> None:
    template = make(
        {"body.html": "<img src='{{ asset('a.png') }}'>{% if more %}{{ asset('b.gif') }}{% endif %}"},
        {"_assets/a.png": b"a", "t/assets/b.gif": b"b", "_assets/unused.png": b"c"},
    )
    assert sorted(template.bundle.assets) == ["_assets/a.png", "t/assets/b.gif"]
    first = template.render({"more": False}, at=at)
    both = template.render({"more": True}, at=at)
    assert [(part.filename, part.content_type) for part in first.inline] == [("a.png", "image/png")]
    assert [part.filename for part in both.inline] == ["a.png", "b.gif"]
    assert f"cid:{first.inline[0].content_id}" in str(first.html)


def test_a_render_depends_on_what_it_is_given_and_on_nothing_else(make: Make, at: datetime) -> None:
    template = make({"subject.txt": "{{ now }}", "body.txt": "{{ now|datetime('full') }} {{ locale }}"})
    one = template.render({}, timezone="Asia/Tokyo", at=at)
    assert one == template.render({}, timezone="Asia/Tokyo", at=at.astimezone(None))
    assert one.subject == "2026-01-31T21:00:00+09:00"
    assert one != template.render({}, timezone="Asia/Tokyo", at=at + timedelta(seconds=1))
    assert template.render({}, at=datetime(2026, 1, 31, 12, tzinfo=UTC)).subject == "2026-01-31T12:00:00+00:00"


def test_css_is_inlined_where_it_can_be_and_refused_where_not(make: Make, at: datetime) -> None:
    parts = {"template.toml": "inline_css = true", "body.html": "<style>p { color: red }</style><p>x</p>"}
    if find_spec("css_inline") is None:
        with pytest.raises(TemplateBroken, match="css-inline"):
            make(parts)
    else:
        assert 'style="color: red' in str(make(parts).render({}, at=at).html)
