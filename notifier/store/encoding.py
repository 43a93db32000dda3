"""JSON as the databases keep it, by pydantic's encoder: the standard library's takes ten times as long to write."""

from typing import Any

from pydantic_core import from_json, to_json

__all__ = ["from_json", "json_text"]


def json_text(value: Any) -> str:
    """`value`, plain data, as JSON in UTF-8 without spaces."""
    return to_json(value, inf_nan_mode="constants").decode()
