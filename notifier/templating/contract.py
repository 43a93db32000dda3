"""The contract of a template: a JSON Schema of its data, declared in `schema.json` or inferred from its parts.

A declared contract refuses; an inferred one informs. The check is compiled once (fastjsonschema, microseconds);
what it refuses is explained by jsonschema, with every fault at once.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import fastjsonschema
import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from notifier.domain.errors import Fault

_FAST_KEYWORDS = frozenset(
    {
        "$schema", "$id", "$comment", "title", "description", "default", "examples", "readOnly", "writeOnly", "type",
        "format", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
        "maxLength", "minLength", "pattern", "items", "maxItems", "minItems", "uniqueItems", "maxProperties",
        "minProperties", "required", "properties", "additionalProperties", "allOf", "anyOf", "oneOf", "not",
    }
)  # fmt: skip
"""What fastjsonschema checks as jsonschema does. A schema with any other keyword is checked by jsonschema alone."""
_DRAFT = "http://json-schema.org/draft-07/schema#"
MOST_FAULTS = 200
"""Faults that are explained, at a tenth of a millisecond each: 256 KiB of data may have 160,000."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Contract(dict[str, Any]):
    """The JSON Schema of a template's data. `declared` says that it comes from ``schema.json`` and refuses."""

    def __init__(self, schema: Mapping[str, Any], *, declared: bool) -> None:
        super().__init__(schema)
        self.declared = declared

    @cached_property
    def _validator(self) -> Validator:
        kind = validator_for(dict(self), default=jsonschema.Draft202012Validator)
        return kind(dict(self), format_checker=kind.FORMAT_CHECKER)

    @cached_property
    def _fast(self) -> Any:
        if not all(keyword in _FAST_KEYWORDS for schema in _subschemas(dict(self)) for keyword in schema):
            return None
        try:
            return fastjsonschema.compile({**self, "$schema": _DRAFT}, use_default=False)
        except fastjsonschema.JsonSchemaDefinitionException:  # a format that it does not know
            return None

    def compile(self) -> None:
        """Make the compiled check now and not with the first request."""
        _ = self._fast, self._validator

    def faults(self, data: Mapping[str, Any]) -> tuple[Fault, ...]:
        """The ways in which `data` breaks the contract, `MOST_FAULTS` of them at most; none for good data."""
        if self._fast is None:
            return self._explained(data)
        try:
            self._fast(data)
        except fastjsonschema.JsonSchemaValueException as error:
            return self._explained(data) or (Fault(data_path(error.path[1:]), "invalid", error.message),)
        return ()

    def _explained(self, data: Mapping[str, Any]) -> tuple[Fault, ...]:
        faults: dict[tuple[str, str], Fault] = {}
        for error in self._validator.iter_errors(data):
            for fault in _explanations(error):
                faults.setdefault((fault.field, fault.code), fault)
                if len(faults) == MOST_FAULTS:
                    return (*faults.values(), more_faults())
        return tuple(faults.values())


def more_faults() -> Fault:
    """What is told after the last of so many."""
    return Fault("data", "too_many", f"{MOST_FAULTS} faults are named; there may be more")


def _explanations(error: jsonschema.ValidationError) -> Iterator[Fault]:
    """A validation error in the caller's words."""
    path = list(error.absolute_path)
    schema: Any = error.schema
    wanted: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            for name in [name for name in wanted if name not in given]:
                yield Fault(data_path([*path, name]), "missing", f"{name!r} is required")
        case "additionalProperties" if wanted is False:
            patterns = schema.get("patternProperties", {})
            known = schema.get("properties", {})
            for name in given:
                if name not in known and not any(re.search(pattern, name) for pattern in patterns):
                    yield Fault(data_path([*path, name]), "unknown", f"{name!r} is not a variable of this template")
        case "type":
            kinds = " or ".join(wanted) if isinstance(wanted, list) else wanted
            yield Fault(data_path(path), "type", f"must be {kinds}, is {_kind(error.instance)}")
        case validator:
            yield Fault(data_path(path), str(validator), _short(error.message))


def _short(message: str) -> str:
    return message if len(message) <= 200 else f"{message[:200]}..."


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(value), "null")


def data_path(path: Any) -> str:
    """A path into the data as callers write it: `data.items[0].price`, `data["first name"]`."""
    text = "data"
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if _NAME.fullmatch(str(step)) else f"[{str(step)!r}]"
    return text


def _subschemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every schema within a schema."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for key in ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"):
        if isinstance(schema.get(key), list):
            yield {"prefixItems": []}  # the list form of `items` differs between drafts: not for the fast check
        yield from _subschemas(schema.get(key))
    for key in ("allOf", "anyOf", "oneOf"):
        for entry in schema.get(key) or ():
            yield from _subschemas(entry)
    for key in ("properties", "patternProperties", "$defs", "definitions"):
        for entry in (schema.get(key) or {}).values():
            yield from _subschemas(entry)


def declared_contract(schema: Any) -> Contract | str:
    """The contract of a schema, ready for use, or what makes it unusable in one sentence."""
    if not isinstance(schema, dict):
        return "the contract must be a JSON object"
    try:
        validator_for(schema, default=jsonschema.Draft202012Validator).check_schema(schema)
        if schema.get("type", "object") != "object":
            return "the contract must describe an object"
        for value in _references(schema):
            if not str(value).startswith("#"):
                return f"$ref {str(value)[:80]!r} leads out of the schema"
        contract = Contract(schema, declared=True)
        contract.compile()
    except jsonschema.SchemaError as error:
        return f"{'/'.join(map(str, error.absolute_path)) or 'schema'}: {_short(error.message)}"
    except (fastjsonschema.JsonSchemaDefinitionException, SyntaxError, RecursionError, re.error) as error:
        return _short(str(error)) or "the contract is nested too deeply"
    return contract


def _references(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("$ref", "$dynamicRef"):
                yield value
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Fault, ...]:
    """What differs for callers of `old` when `new` is published. `field` is `data.items[].price`; codes are `required`
    (must now be sent), `removed` (now refused), `type` (must be another) and `unused` (may still be sent)."""
    return tuple(_differences(old, new, "data"))


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Fault]:
    before, after = _types(old), _types(new)
    if after is not None and (before is None or not before <= after):
        now = " or ".join(sorted(after))
        was = " or ".join(sorted(before)) if before is not None else "anything"
        yield Fault(path, "type", f"must now be {now}, was {was}")
    known, wanted = old.get("properties", {}), new.get("properties", {})
    for name in new.get("required", ()):
        if name not in old.get("required", ()):
            yield Fault(f"{path}.{name}", "required", f"{name!r} must now be sent")
    closed = new.get("additionalProperties") is False
    for name in known:
        if name in wanted:
            yield from _differences(known[name], wanted[name], f"{path}.{name}")
        elif closed:
            yield Fault(f"{path}.{name}", "removed", f"{name!r} is now refused")
        else:
            yield Fault(f"{path}.{name}", "unused", f"{name!r} is no longer used")
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        yield from _differences(old["items"], new["items"], f"{path}[]")


def breaking_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Those differences that break a caller; a variable that is merely no longer used breaks nobody."""
    return tuple(difference for difference in compare(old, new) if difference.code != "unused")


def _types(schema: Mapping[str, Any]) -> frozenset[str] | None:
    """The types a schema allows; None for any. A number may be an integer."""
    given = schema.get("type")
    if given is None:
        return None
    types = frozenset([given] if isinstance(given, str) else given)
    return types | {"integer"} if "number" in types else types
