"""The allow-list: every filter, test and global that templates may use, and the guard around each filter."""

from collections.abc import Callable
from functools import wraps
from types import GeneratorType
from typing import Any

from jinja2.environment import Environment
from jinja2.exceptions import TemplateRuntimeError
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.filters import do_indent, do_replace, do_truncate
from jinja2.nodes import EvalContext
from jinja2.runtime import Undefined
from jinja2.tests import TESTS as JINJA_TESTS
from jinja2.utils import Cycler, Joiner, Namespace, pass_environment, pass_eval_context
from markupsafe import Markup

from notifier.templating.budget import MAX_BITS, MAX_RANGE, MAX_VALUE, RUN, Exhausted, afford, spend, spend_work, weigh
from notifier.templating.catalogue import GETTEXT
from notifier.templating.formats import FORMATS
from notifier.templating.strings import checked_format, described, escaped, printed, replaced_size

_PLAIN = (
    "abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "filesizeformat",
    "first", "float", "forceescape", "groupby", "int", "items", "join", "last", "length", "list", "lower",
    "map", "max", "min", "reject", "rejectattr", "reverse", "round", "safe", "select", "selectattr", "slice",
    "sort", "string", "striptags", "sum", "title", "tojson", "trim", "unique", "upper", "urlencode",
    "urlize", "wordcount", "wordwrap",
)  # fmt: skip
_TESTS = (
    "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "greaterthan", "gt", "in",
    "integer", "iterable", "le", "lessthan", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sequence",
    "string", "true", "undefined", "upper", "==", "!=", ">", ">=", "<", "<=",
)  # fmt: skip
_TOLERANT = frozenset({"d", "default", "defined", "undefined"})
_SHALLOW = frozenset({"d", "default", "first", "last", "length", "count", "items", "safe", "defined", "undefined"})
_ANY_NUMBER = frozenset({"d", "default", "sum", "min", "max", "int", "float", "money", "url", "divisibleby"})
_GIVING_BACK = frozenset({"d", "default", "first", "last", "max", "min", "replace", "safe"})
"""A safe text that comes out of these is escaped for Markdown, too. Of all others, it is where a safe one went in."""
_WIDTHS = {"center": 1_000, "indent": 1_000, "batch": MAX_RANGE, "slice": MAX_RANGE, "round": 20}


def _guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with its steps, sizes and missing variables seen to."""
    first = 0 if getattr(function, "jinja_pass_arg", None) is None else 1
    tolerant, shallow = name in _TOLERANT, name in _SHALLOW
    before = _BEFORE.get(name)
    limit = _WIDTHS.get(name, MAX_RANGE) if name not in _ANY_NUMBER else None

    @wraps(function)
    def guard(*args: Any, **kwargs: Any) -> Any:
        run = RUN.get()
        value = args[first]
        kind = type(value)
        if kind is str or kind is Markup:
            run.step(len(value) + 1)
        else:
            run.step(1)
            if kind not in _WEIGHTLESS:
                if not tolerant and isinstance(value, Undefined):
                    value.touch()
                    return value
                if not shallow:
                    weigh(value)
        if len(args) > first + 1 or kwargs:
            for given in (*args[first + 1 :], *kwargs.values()):
                if type(given) is str:
                    run.charge(len(given))
                elif type(given) is int:
                    if limit is not None and abs(given) > limit:
                        raise Exhausted(f"the filter {name} takes numbers up to {limit}")
                elif isinstance(given, Undefined) and not tolerant:
                    given.touch()
                    return given
                else:
                    weigh(given)
        if before is not None:
            args, kwargs = before(first, args, kwargs)
        result = function(*args, **kwargs)
        if type(result) is str and len(result) <= MAX_VALUE:
            run.charge(len(result))
            return result
        anew = (name not in _GIVING_BACK and kind is not Markup) or name == "tojson"  # which doubles every backslash
        if anew and run.markdown and type(result) is Markup:
            result = escaped(result.unescape())  # it was escaped for HTML alone
        return result if type(result) in _WEIGHTLESS_RESULTS else _made(result)

    return guard


_WEIGHTLESS = frozenset({int, float, bool, type(None)})
_WEIGHTLESS_RESULTS = frozenset({float, bool, type(None)})


def _made(value: Any) -> Any:
    """Count what a filter gave back; what comes one by one is taken at once."""
    if isinstance(value, (str, list, tuple, dict)):
        afford(len(value))
    elif isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise Exhausted(f"a number has more than {MAX_BITS} bits")
    elif isinstance(value, GeneratorType):
        items = []
        for item in value:
            spend(1)
            items.append(item)
        return items
    return value


_Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def _before_join(first: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Arguments:
    separator = kwargs.get("d", args[first + 1] if len(args) > first + 1 else "")
    attribute = kwargs.get("attribute", args[first + 2] if len(args) > first + 2 else None)
    items = list(args[first])
    if attribute is None:
        items = [printed(item) for item in items]
    afford(len(items) * (len(printed(separator)) + 1))
    return (*args[:first], items, *args[first + 1 :]), kwargs


def _before_indent(first: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Arguments:
    width = kwargs.get("width", args[first + 1] if len(args) > first + 1 else 4)
    size = len(width) if isinstance(width, str) else int(width)
    if size > _WIDTHS["indent"]:
        raise Exhausted(f"the filter indent takes widths up to {_WIDTHS['indent']}")
    afford(len(args[first]) + (args[first].count("\n") + 1) * size)
    return args, kwargs


def _before_wordwrap(first: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Arguments:
    width = kwargs.get("width", args[first + 1] if len(args) > first + 1 else 79)
    wrap = kwargs.get("wrapstring", args[first + 3] if len(args) > first + 3 else "\n")
    if width < 1:
        raise TemplateRuntimeError("the filter wordwrap takes a width of 1 at the least")
    text = printed(args[first])
    afford(len(text) + (len(text) // width + text.count(" ") + 1) * len(printed(wrap or "\n")))
    return args, kwargs


def _before_sum(first: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Arguments:
    """Numbers alone: a sum of lists copies, for each of them, what it has so far. To a number nothing else is added."""
    start = kwargs.get("start", args[first + 2] if len(args) > first + 2 else 0)
    if not isinstance(start, int | float):
        raise TemplateRuntimeError(f"the filter sum adds numbers and cannot start with a {described(start)}")
    return args, kwargs


def _before_string(first: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Arguments:
    return (*args[:first], printed(args[first]), *args[first + 1 :]), kwargs


def _before_slice(first: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Arguments:
    if len(args) > first + 1 and isinstance(args[first + 1], int):
        spend_work(args[first + 1])
    return args, kwargs


_TEXT = (
    "capitalize", "center", "e", "escape", "forceescape", "lower", "safe", "string", "striptags", "title", "trim",
    "truncate", "upper", "urlize", "wordcount",
)  # fmt: skip
_BEFORE: dict[str, Callable[[int, tuple[Any, ...], dict[str, Any]], _Arguments]] = {
    "join": _before_join,
    "indent": _before_indent,
    "wordwrap": _before_wordwrap,
    "slice": _before_slice,
    "sum": _before_sum,
    **dict.fromkeys(_TEXT, _before_string),
}


# Jinja and Markup escape what meets a safe text for HTML alone, and what a safe text is indented by not at all.


@pass_eval_context
def indent(context: EvalContext, value: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    """Jinja's."""
    if context.autoescape and isinstance(value, Markup) and isinstance(width, str):
        width = escaped(width)
    return do_indent(value, width, first, blank)


@pass_eval_context
def replace(context: EvalContext, value: Any, old: Any, new: Any, count: int | None = None) -> str:
    """Jinja's."""
    text, old, new = printed(value), printed(old), printed(new)
    if context.autoescape and any(isinstance(one, Markup) for one in (text, old, new)):
        text, new = escaped(text), escaped(new)
    replaced_size(text, old, new)
    return do_replace(context, text, old, new, count)


@pass_environment
def truncate(
    environment: Environment,
    value: str,
    length: int = 255,
    killwords: bool = False,
    end: str = Markup("..."),
    leeway: int | None = None,
) -> str:
    """Jinja's."""
    end = escaped(end) if isinstance(value, Markup) else end
    return do_truncate(environment, value, length, killwords, end, leeway)


def format_(value: Any, *args: Any, **kwargs: Any) -> str:
    """`{{ "%s of %s"|format(a, b) }}`."""
    if args and kwargs:
        raise TemplateRuntimeError("format takes values by position or by name, not both")
    return checked_format(printed(value), kwargs or args)


def nl2br(value: Any) -> Markup:
    """Lines of a text as lines of HTML; the text is escaped."""
    lines = printed(value).splitlines()
    afford(sum(map(len, lines)) + 5 * len(lines))
    return Markup("<br>\n").join(lines)


def capped_range(*arguments: Any) -> range:
    """`range()`, for at most 10,000 numbers."""
    numbers = range(*arguments)
    if len(numbers) > MAX_RANGE:
        raise Exhausted(f"range() gives {MAX_RANGE} numbers at the most")
    return numbers


def asset(name: Any) -> str:
    """`asset("logo.png")`: where the picture is. ``cid:`` and an inline part of this mail, or a hosted address."""
    run = RUN.get()
    attachment = run.files.get(name) if isinstance(name, str) else None
    if attachment is None:
        raise TemplateRuntimeError(f"there is no asset {name!r}")
    if run.public_url is not None:
        identity = str(attachment.content_id).partition("@")[0]
        return f"{run.public_url.rstrip('/')}/assets/{identity}/{attachment.filename}"
    run.inline[name] = attachment
    return f"cid:{attachment.content_id}"


FILTERS: dict[str, Callable[..., Any]] = {
    **{name: _guarded(name, JINJA_FILTERS[name]) for name in _PLAIN},
    **{name: _guarded(name, function) for name, function in FORMATS.items()},
    "format": _guarded("format", format_),
    "indent": _guarded("indent", indent),
    "replace": _guarded("replace", replace),
    "truncate": _guarded("truncate", truncate),
    "nl2br": _guarded("nl2br", nl2br),
}
_KNOWN_TESTS: dict[str, Any] = {**JINJA_TESTS}
TESTS: dict[str, Callable[..., Any]] = {name: _guarded(name, _KNOWN_TESTS[name]) for name in _TESTS}
GLOBALS: dict[str, Any] = {
    "asset": asset,
    "cycler": Cycler,
    "dict": dict,
    "joiner": Joiner,
    "namespace": Namespace,
    "range": capped_range,
    **GETTEXT,
}
