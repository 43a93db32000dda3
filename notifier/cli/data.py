"""A template's data from the command line."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from notifier.domain.errors import ConfigurationError


def read_data(pairs: Iterable[str], file: str | None) -> dict[str, Any]:
    """What a file holds, with the pairs laid over it. Raises ConfigurationError."""
    data = {} if file is None else _read_file(file)
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name.strip(":"):
            raise ConfigurationError(f"--data {pair}: write NAME=TEXT, or NAME:=JSON")
        if name.endswith(":"):
            put(data, name[:-1], _parsed(text, f"--data {pair}"))
        else:
            put(data, name, text)
    return data


def _read_file(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--data-file {file}: {getattr(error, 'strerror', None) or error}") from None
    data = _parsed(text, f"--data-file {file}")
    if not isinstance(data, dict):
        raise ConfigurationError(f"--data-file {file}: a template's data is a JSON object")
    return data


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{where} is not JSON: {error}") from None


def put(data: dict[str, Any], path: str, value: Any) -> None:
    """Puts a value at ``order.id``, making the objects on the way. Raises ConfigurationError."""
    *outer, last = path.split(".")
    for step in outer:
        data = data.setdefault(step, {})
        if not isinstance(data, dict):
            raise ConfigurationError(f"{path}: {step} is a value already, and cannot have something in it")
    data[last] = value
