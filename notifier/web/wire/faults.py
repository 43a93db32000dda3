"""What pydantic found, in the caller's words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from notifier.domain.errors import Fault, refused

_CODES = {
    "missing": ("missing", "is missing"),
    "extra_forbidden": ("unknown", "is not a field of this request"),
    "string_type": ("type", "must be a string"),
    "int_type": ("type", "must be a whole number"),
    "int_parsing": ("type", "must be a whole number"),
    "bool_type": ("type", "must be true or false"),
    "bool_parsing": ("type", "must be true or false"),
    "list_type": ("type", "must be a list"),
    "dict_type": ("type", "must be an object"),
    "model_type": ("type", "must be an object"),
    "model_attributes_type": ("type", "must be an object"),
    "string_too_long": ("length", "has more than {max_length} characters"),
    "string_too_short": ("length", "has fewer than {min_length} characters"),
    "too_long": ("length", "has more than {max_length} entries"),
    "too_short": ("length", "has fewer than {min_length} entries"),
    "literal_error": ("unknown", "must be one of {expected}"),
    "enum": ("unknown", "must be one of {expected}"),
    "string_pattern_mismatch": ("syntax", "does not look as it should"),
    "greater_than_equal": ("range", "must be at least {ge}"),
    "less_than_equal": ("range", "must be at most {le}"),
}


def field_of(location: Iterable[int | str]) -> str:
    """``('to', 1, 'email')`` as ``to[1].email``; pydantic's mark of a dict's key is left out."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step != "[key]":
            path += f".{step}" if path else step
    return path


def faults_of(errors: Sequence[ErrorDetails], *, skip: int = 0) -> list[Fault]:
    """One fault for each error; `skip` drops the first steps of a path."""
    found: dict[str, Fault] = {}
    for error in errors:
        field = field_of(error["loc"][skip:])
        context: dict[str, Any] = error.get("ctx") or {}
        code, message = _CODES.get(error["type"], (error["type"], error["msg"]))
        found.setdefault(field, Fault(field, code, message.format_map(context) if "{" in message else message))
    return list(found.values())


_MOST = 200
"""Faults of one thing that are named: a million of them take seconds, and an answer of 80 MB."""


def _told(error: ValidationError) -> list[Fault]:
    if (count := error.error_count()) > _MOST:
        return [Fault("", "too_many", f"has {count} faults; more than {_MOST} are not named one by one")]
    return faults_of(error.errors(include_url=False, include_input=False))


Model = TypeVar("Model", bound=BaseModel)


def salvage(model: type[Model], raw: Mapping[str, Any]) -> tuple[Model, list[Fault]]:
    """Reads `raw` as a model whose fields may all be left out. What is wrong is told and left out, so that the rest
    can be judged as well. Raises Refused where more is wrong than anybody would read."""
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        if error.error_count() > _MOST:
            raise refused(_told(error)) from None
        errors = error.errors(include_url=False, include_input=False)
        wrong = {step["loc"][0] for step in errors}
        return model.model_validate({name: raw[name] for name in raw if name not in wrong}), faults_of(errors)


def read_model(model: type[Model], raw: Any) -> Model:
    """Reads `raw` as a whole. Raises Refused with every fault."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise refused(_told(error)) from None
