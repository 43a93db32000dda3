"""The methods and formats of strings that templates may use, each with its size known before it is made."""

import re
from collections.abc import Callable
from string import Formatter
from typing import Any

from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Macro, Undefined
from markupsafe import EscapeFormatter, Markup

from notifier.templating.budget import RUN, afford, spend_work, weigh

STRING_METHODS = frozenset(
    {
        "capitalize", "count", "endswith", "find", "format", "isalpha", "isdigit", "islower", "isspace", "isupper",
        "join", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rpartition", "rsplit",
        "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper",
    }
)  # fmt: skip
_PERCENT = re.compile(r"%(?:\((\w*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?([a-zA-Z%])")
_WIDE = re.compile(r"\d{4,}")


def call_string(text: str, name: str) -> Callable[..., Any]:
    """A string's method, guarded."""
    if name == "format":
        return lambda *args, **kwargs: formatted(text, args, kwargs)
    method = getattr(text, name)

    def guarded(*args: Any, **kwargs: Any) -> Any:
        spend_work(len(text))
        for argument in args:
            weigh(argument)
        if isinstance(text, Markup):
            args = tuple(_escaped_all(argument) for argument in args)
        if name == "replace":
            replaced_size(text, *args)
        elif name == "join" and args:
            items = list(args[0])
            if isinstance(text, Markup):
                items = [_escaped_all(item) for item in items]  # the keys or the values of a mapping, too
            afford(len(text) * len(items) + sum(len(item) for item in items if isinstance(item, str)))
            args = (items, *args[1:])
        return method(*args, **kwargs)

    return guarded


def replaced_size(text: str, old: Any = "", new: Any = "", *_: Any) -> None:
    """Afford what `text.replace(old, new)` would make."""
    if isinstance(old, str) and isinstance(new, str):
        times = text.count(old)
        afford(len(text) + times * max(0, len(new) - len(old)))


def checked_format(text: str, values: Any) -> str:
    """`text % values` with plain values and widths below 1000."""
    weigh(values)
    for value in values.values() if isinstance(values, dict) else values if isinstance(values, tuple) else (values,):
        _plain(value)
    for found in _PERCENT.finditer(text):
        if "*" in (found[3], found[4]) or _WIDE.match(found[3] or "") or _WIDE.match(found[4] or ""):
            raise TemplateRuntimeError(f"the format {found[0]!r} is too wide")
        if isinstance(text, Markup) and found[5] in "ra":
            raise TemplateRuntimeError(f"the format {found[0]!r} would undo what is escaped")
    formatted: str = text % (_escaped_all(values) if isinstance(text, Markup) else values)
    return formatted


class _Formatter(Formatter):
    """`str.format` without attributes, with widths below 1000 and nothing nested in a specification."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        if not (field_name.isidentifier() or field_name.isdigit()):
            raise TemplateRuntimeError(f"the format field {field_name!r} reaches into a value")
        value = self.get_value(int(field_name) if field_name.isdigit() else field_name, args, kwargs)
        _plain(value)
        return value, field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if _WIDE.search(format_spec):
            raise TemplateRuntimeError(f"the format {format_spec!r} is too wide")
        return str(super().format_field(value, format_spec))


class _EscapingFormatter(EscapeFormatter, _Formatter):
    """The same inside HTML: values are escaped."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = value if isinstance(value, Markup) else escaped(_Formatter.format_field(self, value, format_spec))
        return str(text)


def formatted(text: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """`text.format(*args, **kwargs)`."""
    weigh(list(args))
    weigh(kwargs)
    if isinstance(text, Markup):
        return Markup(_EscapingFormatter(Markup.escape).vformat(str(text), args, kwargs))  # noqa: S704 - it escapes
    return _Formatter().vformat(text, args, kwargs)


def _escaped_all(value: Any) -> Any:
    """Values that go into a text which is HTML already."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, tuple | list):
        return type(value)(_escaped_all(item) for item in value)
    return {key: _escaped_all(item) for key, item in value.items()} if isinstance(value, dict) else value


def _plain(value: Any) -> None:
    """Only what has one spelling everywhere may be formatted."""
    if isinstance(value, Undefined):
        str(value)
    elif not isinstance(value, str | int | float | bool):
        raise TemplateRuntimeError(f"a {type(value).__name__} cannot be formatted")


def printed(value: Any) -> str:
    """A value as it stands in a mail. None is nothing; a list or a mapping is refused: nobody wants to read one."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, (int, float, Undefined)):
        return str(value)
    raise TemplateRuntimeError(f"a {described(value)} cannot be printed")


def described(value: Any) -> str:
    """A value's kind in an author's words."""
    if isinstance(value, dict):
        return "mapping"
    if isinstance(value, list | tuple | range):
        return "list"
    return {str: "string", int: "number", float: "number", Macro: "macro"}.get(type(value), "value of this kind")


def escaped(text: str) -> Markup:
    """Data as it may stand in the part that is being rendered. In Markdown it stays text, too: neither a link nor a
    list nor a heading can come from it."""
    if isinstance(text, Markup) or not RUN.get().markdown:
        return Markup.escape(text)
    return Markup.escape(" ".join(text.splitlines()).translate(_MARKDOWN))


_MARKDOWN = {ord(mark): f"\\{mark}" for mark in "\\`*_{}[]()+-.!|~#"}
