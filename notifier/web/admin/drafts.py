"""A template as the editor holds it: texts by path, JSON files among them; and faults with their places in those."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from notifier.domain.errors import Fault
from notifier.domain.template import Source, Whole

SCHEMA: Final = "schema.json"
SETTINGS: Final = "settings.json"
_SAMPLE: Final = re.compile(r"samples/([A-Za-z0-9._-]{1,64})\.json")
_PLACE: Final = re.compile(r"(?P<path>[^:]+):(?P<line>\d+)(?::(?P<column>\d+))?")

Files = Mapping[str, str]

STARTER: Final[Files] = {
    "subject.txt": "Hello {{ name }}\n",
    "body.md": "# Hello {{ name }}\n\nWrite what the reader should know.\n",
    "samples/default.json": '{\n  "name": "Zoë"\n}\n',
    SETTINGS: "{}\n",
}
"""What a new template starts from: the least that can be sent."""


def is_shared(name: str) -> bool:
    """Whether it is a file that templates share, and cannot be sent."""
    return name.startswith("_")


def files_of(whole: Whole) -> dict[str, str]:
    """Everything of a version that an author edits, by path."""
    source = whole.source
    files = dict(source.parts)
    if whole.contract is None:  # a shared file is its one text
        return files
    if source.schema is not None:
        files[SCHEMA] = _text(source.schema)
    files |= {f"samples/{name}.json": _text(data) for name, data in (source.samples or {}).items()}
    settings = dict(source.settings or {})
    if source.description:
        settings = {"description": source.description, **settings}
    files[SETTINGS] = _text(settings)
    return files


def source_of(files: Files) -> tuple[Source, list[Fault]]:
    """What an author hands in, and what is no JSON in it; that is left out."""
    faults: list[Fault] = []
    read: dict[str, dict[str, Any]] = {}
    for path, text in files.items():
        if path in (SCHEMA, SETTINGS) or _SAMPLE.fullmatch(path):
            found = _object(path, text, faults)
            if found is not None:
                read[path] = found
    settings = read.get(SETTINGS)
    description = settings.pop("description", None) if settings else None
    samples = {m[1]: data for path, data in read.items() if (m := _SAMPLE.fullmatch(path))}
    parts = {
        path: text for path, text in files.items() if path not in (SCHEMA, SETTINGS) and not _SAMPLE.fullmatch(path)
    }
    return Source(parts, read.get(SCHEMA), samples or None, settings, description), faults


def _object(path: str, text: str, faults: list[Fault]) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        faults.append(Fault(f"{path}:{error.lineno}:{error.colno}", "syntax", f"this is not JSON: {error.msg}"))
        return None
    except RecursionError:
        faults.append(Fault(f"{path}:1:1", "syntax", "this is nested too deeply"))
        return None
    if not isinstance(found, dict):
        faults.append(Fault(f"{path}:1:1", "type", "this has to be an object: { ... }"))
        return None
    return found


def marks(name: str, faults: Sequence[Fault], severity: str) -> list[dict[str, Any]]:
    """Faults as the editor marks them: `path` is empty where it is not about a place in one of the files."""
    told = []
    for fault in faults:
        field = fault.field.removeprefix("parts.").removeprefix(f"{name}/")
        if field.startswith(f"{name}:"):  # a shared file is its one text
            field = field.rpartition("/")[2]
        place = _PLACE.fullmatch(field)
        told.append(
            {
                "path": place["path"] if place else "",
                "line": int(place["line"]) if place else 0,
                "column": int(place["column"] or 1) if place else 0,
                "message": fault.message if place else f"{field}: {fault.message}" if field else fault.message,
                "severity": severity,
            }
        )
    return told


def all_marks(name: str, faults: Sequence[Fault], warnings: Sequence[Fault]) -> list[dict[str, Any]]:
    """The faults of a preview, then the warnings. What a sample is refused for is told once, at the sample."""
    errors, warned = marks(name, faults, "error"), marks(name, warnings, "warning")
    said = {one["message"] for one in errors}
    refused = [{**one, "severity": "error"} for one in warned if one["message"] in said]
    placed = {one["message"] for one in refused}
    return [
        *(one for one in errors if one["message"] not in placed),
        *refused,
        *(one for one in warned if one["message"] not in said),
    ]


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
