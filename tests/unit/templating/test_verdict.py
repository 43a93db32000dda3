"""The verdict: one answer that names everything, and means what it says."""

from datetime import datetime
from typing import Any

import pytest

from notifier.templating import RenderFailed
from tests.unit.templating.conftest import Make

SCHEMA = """{"type": "object", "additionalProperties": false, "required": ["name", "order_id", "items"],
 "properties": {"name": {"type": "string"}, "order_id": {"type": "string"}, "note": {"type": "string"},
  "items": {"type": "array", "items": {"type": "object", "required": ["price"],
   "properties": {"price": {"type": ["number", "string"]}, "name": {"type": "string"}}}}}}"""


def test_one_answer_names_every_missing_wrong_and_unknown_variable(make: Make, at: datetime) -> None:
    template = make({"schema.json": SCHEMA, "subject.txt": "{{ order_id }}", "body.html": "{{ name }}{{ undeclared }}"})
    verdict = template.verdict({"name": 1, "items": [{"price": True}, {}], "nmae": "x"}, at=at)
    assert verdict.rendered is None
    assert {(fault.field, fault.code) for fault in verdict.faults} == {
        ("data.name", "type"),
        ("data.order_id", "missing"),
        ("data.items[0].price", "type"),
        ("data.items[1].price", "missing"),
        ("data.nmae", "unknown"),
        ("data.undeclared", "missing"),
    }
    places = {fault.field: fault.message.rpartition("; ")[2] for fault in verdict.faults if "uses it" in fault.message}
    assert places == {
        "data.name": "t/body.html:1:4 uses it",
        "data.order_id": "t/subject.txt:1:4 uses it",
        "data.undeclared": "t/body.html:1:14 uses it",
    }


def test_without_a_schema_the_render_names_what_is_missing_with_its_place(make: Make, at: datetime) -> None:
    template = make(
        {
            "_layouts/base.html": "{% block content %}{% endblock %}\n<p>{{ company }}</p>",
            "subject.txt": "Order {{ order_id }}",
            "body.html": '{% extends "_layouts/base.html" %}\n{% block content %}\n  <p>{{ user.name }} {{ user.mail }}</p>\n'  # noqa: E501 - a file of the template
            "{% for item in items %}\n{{ item.price + 1 }}{% endfor %}{% if vip %}{{ x }}{% endif %}{% endblock %}",
        }
    )
    verdict = template.verdict({"items": [{"price": 1}, {"cost": 2}]}, at=at)
    assert {fault.field: fault.message.rpartition("; ")[2] for fault in verdict.faults} == {
        "data.order_id": "t/subject.txt:1:10 uses it",
        "data.user.name": "t/body.html:3:14 uses it",
        "data.user.mail": "t/body.html:3:30 uses it",
        "data.items[1].price": "t/body.html:5:9 uses it",
        "data.vip": "t/body.html:5:39 uses it",
        "data.company": "_layouts/base.html:2:7 uses it",
    }
    assert {fault.code for fault in verdict.faults} == {"missing"}


@pytest.mark.parametrize(
    "body",
    [
        "{{ x|default('d') }}", "{{ x.y.z|default('d') }}", "{{ 'd' if x is not defined }}", "{{ x.y is defined or 'd' }}",  # noqa: E501 - a file of the template
        "{{ x['y']|d('d') }}",
    ],
)  # fmt: skip
def test_what_is_guarded_may_be_missing(make: Make, at: datetime, body: str) -> None:
    assert make({"body.txt": body}).verdict({}, at=at).faults == ()


@pytest.mark.parametrize(
    "body",
    [
        "{{ x }}", "{{ x.y }}", "{{ x|upper }}", "{{ x ~ 'a' }}", "{{ 'a' + x }}", "{% if x %}{% endif %}",
        "{% if x == 1 %}{% endif %}", "{% if 1 in x %}{% endif %}", "{% for i in x %}{% endfor %}", "{{ x() }}",
        "{{ x|length }}", "{{ x is none }}", "{{ 'a'|replace('a', x) }}", "{{ '%s' % x }}", "{{ '{}'.format(x) }}",
        "{{ -x }}", "{{ x * 2 }}", "{{ x[1:] }}", "{{ [x]|join }}", "{{ x|money }}", "{{ {'a': x}['a'] }}",
        "{% trans %}{{ x }}{% endtrans %}", "{% set y = x %}{{ y }}", "{{ x.items() }}", "{{ x < 1 }}", "{{ x|tojson }}",  # noqa: E501 - a file of the template
    ],
)  # fmt: skip
def test_every_use_of_a_missing_name_is_noticed(make: Make, at: datetime, body: str) -> None:
    faults = make({"body.html": body}).verdict({}, at=at).faults
    assert [(fault.field.partition(".y")[0], fault.code) for fault in faults] == [("data.x", "missing")]


def test_what_a_template_does_wrong_by_itself_has_a_place(make: Make, at: datetime) -> None:
    verdict = make({"body.txt": "a\n{{ name + 1 }}"}).verdict({"name": "x"}, at=at)
    assert [(fault.field, fault.code) for fault in verdict.faults] == [("t/body.txt:2:1", "render")]


@pytest.mark.parametrize(
    ("data", "field", "code"),
    [
        ({"x": object()}, "data.x", "type"),
        ({"x": (1,)}, "data.x", "type"),
        ({"x": {"a": [1, float("nan")]}}, "data.x.a[1]", "invalid"),
        ({"x": 10**40}, "data.x", "invalid"),
        ({"x": "\ud83d"}, "data.x", "invalid"),
        ({"x": {1: 2}}, "data.x", "invalid"),
        ([], "data", "type"),
    ],
)
def test_only_plain_json_values_go_in(make: Make, at: datetime, data: Any, field: str, code: str) -> None:
    faults = make({"body.txt": "x"}).verdict(data, at=at).faults
    assert [(fault.field, fault.code) for fault in faults] == [(field, code)]


def test_an_unknown_locale_or_time_zone_is_a_fault_of_the_request(make: Make, at: datetime) -> None:
    faults = make({"body.txt": "x"}).verdict({}, locale="not a locale", timezone="Mars/Base", at=at).faults
    assert [fault.field for fault in faults] == ["locale", "timezone"]


def test_the_verdicts_mail_is_the_mail_that_is_sent(make: Make, at: datetime) -> None:
    template = make({"subject.txt": "{{ n }}", "body.html": "<p>{{ n|money }} {{ now|time }}</p>"})
    data = {"n": 3}
    assert template.verdict(data, locale="fr", at=at).rendered == template.render(data, locale="fr", at=at)


def test_render_raises_with_every_fault(make: Make, at: datetime) -> None:
    with pytest.raises(RenderFailed) as failed:
        make({"body.txt": "{{ a }}{{ b }}"}).render({}, at=at)
    assert [fault.field for fault in failed.value.faults] == ["data.a", "data.b"]


def test_budgets_do_not_depend_on_the_clock_or_on_who_ran_before(make: Make, at: datetime) -> None:
    template = make({"body.txt": "{% for i in range(n) %}{% for j in range(n) %}.{% endfor %}{% endfor %}"})
    for _ in range(3):
        assert template.verdict({"n": 200}, at=at).faults == ()
        assert [fault.code for fault in template.verdict({"n": 230}, at=at).faults] == ["budget"]


def test_a_schema_with_newer_keywords_is_checked_as_well(make: Make, at: datetime) -> None:
    schema = '{"type": "object", "dependentRequired": {"a": ["b"]}, "properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}'  # noqa: E501 - a file of the template
    template = make({"schema.json": schema, "body.txt": "x"})
    assert [fault.code for fault in template.verdict({"a": 1}, at=at).faults] == ["dependentRequired"]
    assert [fault.field for fault in template.verdict({"a": "x", "b": 1}, at=at).faults] == ["data.a"]
    assert template.verdict({"a": 1, "b": 1}, at=at).faults == ()


def test_a_loop_that_misses_one_name_tells_it_once_and_of_a_thousand_some(make: Make, at: datetime) -> None:
    template = make({"subject.txt": "s", "body.html": "{% for row in rows %}{{ shop }}{{ row.price }}{% endfor %}"})
    once = template.verdict({"rows": [{"price": 1}] * 1000}, at=at)
    assert [fault.field for fault in once.faults] == ["data.shop"]
    part = template.verdict({"rows": [{} for _ in range(1000)]}, at=at)
    assert (len(part.faults), part.faults[-1].code) == (201, "too_many")
