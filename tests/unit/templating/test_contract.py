"""Contracts: declared, inferred, compared."""

import json
from typing import Any

import pytest

from notifier.domain.errors import Fault
from notifier.templating import Contract, TemplateBroken, breaking_changes, compare
from tests.unit.templating.conftest import Make


def inferred(make: Make, parts: dict[str, str]) -> dict[str, Any]:
    return dict(make(parts).inferred)


def test_loops_conditions_and_nested_names_are_inferred(make: Make) -> None:
    schema = inferred(
        make,
        {
            "subject.txt": "{{ order.id }}",
            "body.html": "{% for item in order.items %}{{ item.price|money }}{% if item.gift %}{{ item.note }}{% endif %}"  # noqa: E501 - a file of the template
            "{% endfor %}{% if vip is defined %}{{ vip }}{% endif %}{{ name|default('you') }}{{ tags|join(', ') }}",
        },
    )
    assert schema["required"] == ["order", "tags"]
    assert set(schema["properties"]) == {"order", "vip", "name", "tags"}
    order = schema["properties"]["order"]
    assert order["required"] == ["id", "items"]
    assert order["properties"]["items"]["type"] == "array"
    item = order["properties"]["items"]["items"]
    assert item["required"] == ["gift", "price"]
    assert item["properties"]["price"]["type"] == ["number", "string"]
    assert set(item["properties"]) == {"gift", "note", "price"}


def test_inference_follows_layouts_includes_macros_and_locales(make: Make) -> None:
    schema = inferred(
        make,
        {
            "_layouts/base.html": "{{ company }}{% block a %}{{ replaced }}{% endblock %}{% block b %}{{ kept }}{% endblock %}",  # noqa: E501 - a file of the template
            "_partials/row.html": "{{ row.label }}{{ shared }}",
            "_partials/m.html": "{% macro cell(x, y=1) %}{{ x.deep.name }}{% endmacro %}{% macro unused(z) %}{{ z.no }}{{ never }}{% endmacro %}",  # noqa: E501 - a file of the template
            "body.html": "{% extends '_layouts/base.html' %}{% import '_partials/m.html' as m %}{% set mine = 1 %}"
            "{% block a %}{{ mine }}{% for row in rows %}{% include '_partials/row.html' %}{{ m.cell(row.cell) }}{% endfor %}{% endblock %}"  # noqa: E501 - a file of the template
            "{% block b %}{{ super() }}{{ subject }}{{ locale }}{% endblock %}",
            "locales/fr/subject.txt": "{{ french }}",
        },
    )
    assert schema["required"] == ["company", "french", "kept", "rows", "shared"]
    assert set(schema["properties"]) == {"company", "french", "kept", "rows", "shared"}
    row = schema["properties"]["rows"]["items"]
    assert set(row["properties"]) == {"label", "cell"}
    assert row["properties"]["cell"]["properties"]["deep"]["properties"].keys() == {"name"}


def test_a_call_block_and_filters_with_attributes_are_followed(make: Make) -> None:
    schema = inferred(
        make,
        {
            "body.html": "{% macro box(t) %}{{ t }}{{ caller() }}{% endmacro %}{% call box(title) %}{{ inside }}{% endcall %}"  # noqa: E501 - a file of the template
            "{{ rows|sum(attribute='price') }}{{ rows|map(attribute='who.name')|join }}{% for k, v in map.items() %}{{ k }}{% endfor %}"  # noqa: E501 - a file of the template
        },
    )
    assert schema["required"] == ["inside", "map", "rows", "title"]
    assert schema["properties"]["map"] == {"type": "object"}
    assert set(schema["properties"]["rows"]["items"]["properties"]) == {"price", "who"}


def test_an_inferred_contract_informs_and_does_not_refuse(make: Make, at: Any) -> None:
    template = make({"body.txt": "{% for i in items %}{{ i }}{% endfor %}"})
    assert not template.contract.declared
    assert template.contract["properties"]["items"]["type"] == "array"
    assert template.verdict({"items": "ab", "more": 1}, at=at).faults == ()


def test_a_schema_that_cannot_be_used_breaks_the_template(make: Make) -> None:
    for schema, message in (
        ("[]", "object"),
        ('{"type": "array"}', "object"),
        ('{"type": "objct"}', "objct"),
        ('{"properties": {"a": {"$ref": "https://example.com/s.json"}}}', "leads out"),
        ('{"properties": {"a": {"pattern": "("}}}', ""),
        ("{", "Expecting"),
    ):
        with pytest.raises(TemplateBroken) as broken:
            make({"schema.json": schema, "body.txt": "x"})
        assert broken.value.faults[0].field.startswith("t/schema.json:1:")
        assert message in broken.value.faults[0].message


def test_a_long_list_of_wrong_things_is_explained_in_part() -> None:
    row = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    contract = Contract({"type": "object", "properties": {"rows": {"type": "array", "items": row}}}, declared=True)
    wrong: list[list[dict[str, int]]] = [[{}] * 50_000, [{f"x{n}": n for n in range(50_000)}]]
    for rows in wrong:
        faults = contract.faults({"rows": rows})
        assert (len(faults), faults[-1].code) == (201, "too_many")


@pytest.mark.parametrize(
    "text", ["'", '"', "\\", "\n", '"""', "{}", "%s", "' + str(1/0) + '", "\x00", "é", "${x}", "]"]
)
def test_a_schemas_strings_are_data_to_the_compiled_check(text: str) -> None:
    schema = {
        "type": "object",
        "properties": {text: {"type": "integer", "enum": [1, 2]}, "c": {"const": text}, "e": {"enum": [text]}},
        "required": [text],
        "additionalProperties": False,
        "title": text,
    }
    contract = Contract(schema, declared=True)
    assert contract.faults({text: 1, "c": text, "e": text}) == ()
    assert [fault.code for fault in contract.faults({})] == ["missing"]
    assert contract.faults({text: 3})
    assert contract.faults({text: 1, "c": text + "x"})
    assert [fault.code for fault in contract.faults({text: 1, "unknown": 1})] == ["unknown"]


def test_a_comparison_names_what_callers_must_do() -> None:
    def schema(properties: dict[str, Any], required: list[str], **more: Any) -> dict[str, Any]:
        return {"type": "object", "properties": properties, "required": required, **more}

    price = {"type": "number"}
    old = schema(
        {"a": {"type": "string"}, "items": {"type": "array", "items": schema({"price": price}, [])}, "gone": {}}, ["a"]
    )
    new = schema(
        {
            "a": {"type": ["string", "integer"]},
            "items": {"type": "array", "items": schema({"price": {"type": "string"}}, ["price"])},
            "b": {},
        },
        ["a", "b"],
    )
    assert [(change.field, change.code) for change in compare(old, new)] == [
        ("data.b", "required"),
        ("data.items[].price", "required"),
        ("data.items[].price", "type"),
        ("data.gone", "unused"),
    ]
    assert [change.field for change in breaking_changes(old, {**new, "additionalProperties": False})][-1] == "data.gone"
    assert breaking_changes(old, old) == ()
    assert breaking_changes(old, schema({"a": {"type": ["string", "null"]}, "n": {}}, ["a"])) == ()
    assert breaking_changes(new, json.loads(json.dumps(new))) == ()
    assert compare({}, {"type": "object"}) == (Fault("data", "type", "must now be object, was anything"),)
