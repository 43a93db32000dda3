"""From what went wrong in a render to a fault: which variable of the caller's data, and where in the template."""

import re
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from jinja2.exceptions import SecurityError, TemplateSyntaxError

from notifier.domain.errors import Fault
from notifier.templating.budget import MAX_DEPTH, Exhausted
from notifier.templating.contract import MOST_FAULTS, data_path, more_faults
from notifier.templating.environment import written
from notifier.templating.faults import Unfit
from notifier.templating.missing import Missing, MissingVariable
from notifier.templating.syntax import syntax_fault

_LARGEST = 10**30
_EXPRESSION = re.compile(r"\{\{|\{%")


def data_faults(data: Any) -> list[Fault]:
    """What is not plain JSON in the data: other types, keys that are no strings, half characters, too deep nests."""
    faults: list[Fault] = []
    if type(data) is not dict:
        return [Fault("data", "type", "must be an object")]
    _check(data, [], faults)
    return faults


def _check(value: Any, path: list[Any], faults: list[Fault]) -> None:
    kind = type(value)
    if kind is str:
        if not value.isascii() and not _whole(value):
            faults.append(Fault(data_path(path), "invalid", "has half a character (a lone surrogate)"))
    elif kind is dict or kind is list:
        if len(path) > MAX_DEPTH:
            faults.append(Fault(data_path(path[:4]), "invalid", f"is nested more than {MAX_DEPTH} deep"))
            return
        for key, item in value.items() if kind is dict else enumerate(value):
            if kind is dict and (type(key) is not str or not (key.isascii() or _whole(key))):
                faults.append(Fault(data_path(path), "invalid", "has a key that is not a string"))
                continue
            path.append(key)
            _check(item, path, faults)
            path.pop()
    elif kind is int:
        if not -_LARGEST < value < _LARGEST:
            faults.append(Fault(data_path(path), "invalid", "is too large a number"))
    elif kind is float:
        if value - value != 0:  # true for infinities and NaN alone, which JSON does not have
            faults.append(Fault(data_path(path), "invalid", "is not a finite number"))
    elif value is not None and kind is not bool:
        faults.append(Fault(data_path(path), "type", f"{kind.__name__} is not a JSON value"))


def _whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def missing_faults(
    found: Iterable[tuple[Missing, str, int]], data: Mapping[str, Any], sources: Mapping[str, str]
) -> list[Fault]:
    """The variables that were missing, each at the first place that uses it; `MOST_FAULTS` of them at most."""
    places = _containers(data)
    faults: dict[str, Fault] = {}
    seen = set()
    for value, file, line in found:
        container, names = value.path()
        use = (id(container), str(names), file, line)
        if use in seen:  # a loop comes by a hundred thousand times
            continue
        seen.add(use)
        fault = _missing_fault(value, file, line, places, sources)
        faults.setdefault(fault.field, fault)
        if len(faults) == MOST_FAULTS:
            return [*faults.values(), more_faults()]
    return list(faults.values())


def _missing_fault(
    value: Missing, file: str, line: int, places: Mapping[int, tuple[Any, ...]], sources: Mapping[str, str]
) -> Fault:
    container, names = value.path()
    label = ".".join(str(name) for name in names)
    position = _position(written(file), line, sources, names[-1])
    if not value.named:
        return Fault(position, "undefined", value._undefined_message)
    if container is None:
        return Fault(data_path(names), "missing", f"{label!r} is missing; {position} uses it")
    if id(container) in places:
        return Fault(
            data_path((*places[id(container)], *names)), "missing", f"{label!r} is missing; {position} uses it"
        )
    return Fault(position, "undefined", f"{label!r} is not defined")


def _containers(data: Mapping[str, Any]) -> dict[int, tuple[Any, ...]]:
    """Where every object and list of the data is, by identity."""
    found: dict[int, tuple[Any, ...]] = {}
    pending: list[tuple[Any, tuple[Any, ...]]] = [(data, ())]
    while pending:
        value, path = pending.pop()
        if isinstance(value, dict | list):
            found[id(value)] = path
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            pending.extend((item, (*path, key)) for key, item in entries)
    return found


def _position(file: str, line: int, sources: Mapping[str, str], name: Any = None) -> str:
    """FILE:LINE:COLUMN. The compiled template knows lines; the column is looked up in the source."""
    lines = sources.get(file, "").split("\n")
    pattern = re.compile(rf"(?<!\w){re.escape(str(name))}(?!\w)") if name is not None else _EXPRESSION
    for offset in range(5):  # an expression may go on over some lines
        if 0 < line + offset <= len(lines) and (match := pattern.search(lines[line + offset - 1])) is not None:
            return f"{file}:{line + offset}:{match.start() + 1}"
    return f"{file}:{line}:1"


def diagnose(error: Exception, data: Mapping[str, Any], sources: Mapping[str, str]) -> Fault:
    """What a render's exception says."""
    file, line = _raised_in(error.__traceback__)
    if isinstance(error, MissingVariable):
        return _missing_fault(error.missing, file, line, _containers(data), sources)
    position = _position(file, line, sources) if file else "template"
    if isinstance(error, Unfit):
        return Fault(f"{error.path}:1:1", error.code, str(error))
    if isinstance(error, Exhausted):
        return Fault(position, "budget", str(error))
    if isinstance(error, SecurityError):
        return Fault(position, "forbidden", str(error))
    if isinstance(error, TemplateSyntaxError):
        return syntax_fault(error, file or error.name or "template", "")
    if isinstance(error, RecursionError):
        return Fault(position, "budget", "calls are nested too deeply")
    return Fault(position, "render", str(error)[:300] or type(error).__name__)


def _raised_in(traceback: TracebackType | None) -> tuple[str, int]:
    """The innermost template frame of a traceback."""
    file, line = "", 0
    while traceback is not None:
        template = traceback.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            file, line = written(template.name), template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return file, line
