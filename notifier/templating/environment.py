"""Jinja, narrowed: what a template may reach is listed here and in `filters`, and everything it does is counted.

The sandbox under it keeps Python's internals out; this module replaces its open attribute look-up by a list by type,
so that a data key always wins (`order.items` is the key, `order.items()` the method) and nothing else is reachable.
"""

from collections.abc import Mapping
from typing import Any

from jinja2.environment import Template as JinjaTemplate
from jinja2.exceptions import TemplateNotFound, TemplateRuntimeError
from jinja2.filters import _GroupTuple
from jinja2.runtime import BlockReference, Context, LoopContext, TemplateReference
from jinja2.utils import Cycler, Namespace
from markupsafe import Markup, escape

from notifier.templating import budget
from notifier.templating.budget import MAX_BITS, RUN, Exhausted, Run, spend, weigh
from notifier.templating.codegen import Generator
from notifier.templating.filters import FILTERS, GLOBALS, TESTS
from notifier.templating.missing import Missing
from notifier.templating.strings import STRING_METHODS, call_string, checked_format, described, escaped, printed
from notifier.templating.syntax import PlacedEnvironment

_DICT_METHODS = frozenset({"items", "keys", "values", "get"})
_LIST_METHODS = frozenset({"index", "count"})
_LOOP_VALUES = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem"}
)
_LOOP_METHODS = frozenset({"cycle", "changed"})
_CYCLER_METHODS = frozenset({"next", "reset"})


def emitted(run: Run, value: Any) -> str:
    """What `{{ ... }}` puts out."""
    text = value if isinstance(value, str) else printed(value)
    run.charge(len(text))
    return escaped(text) if run.markdown else text


def emitted_html(run: Run, value: Any) -> str:
    """The same where the file is HTML. Most values have nothing to escape, and finding that out is the cheaper way."""
    text = value if isinstance(value, str) else printed(value)
    run.charge(len(text))
    if run.markdown:
        return escaped(text)
    if type(text) is str and not ("&" in text or "<" in text or ">" in text or '"' in text or "'" in text):
        return text
    return escape(text)


class PartTemplate(JinjaTemplate):
    """A compiled file. A module imported from it is made anew for each render: it may speak the reader's language."""

    def _get_default_module(self, ctx: Context | None = None) -> Any:
        given = {} if ctx is None else {key: ctx.parent[key] for key in ctx.globals_keys - self.globals.keys()}
        return self.make_module(given)


class MailEnvironment(PlacedEnvironment):
    """Compiles the files of one bundle. `sources` are its texts by path; `markdown` is told which are Markdown."""

    code_generator_class = Generator
    template_class = PartTemplate
    intercepted_binops = frozenset({"+", "*", "**", "%", "/", "//"})
    spend = staticmethod(spend)
    current_run = staticmethod(RUN.get)
    emitted = staticmethod(emitted)
    emitted_html = staticmethod(emitted_html)

    def __init__(self, sources: Mapping[str, str]) -> None:
        super().__init__(
            undefined=Missing,
            autoescape=escapes,
            extensions=["jinja2.ext.i18n"],
            optimized=False,  # nothing an author wrote runs while it is compiled
            cache_size=0,
            keep_trailing_newline=True,
        )
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        self.globals = dict(GLOBALS)
        self.newstyle_gettext = True
        self.sources = sources
        self.compiled: dict[str, PartTemplate] = {}

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Any:  # noqa: ARG002 - Jinja passes it
        """Called by compiled code for extends, include and import: a step of its own."""
        if not isinstance(name, str):
            raise TemplateRuntimeError("the name of a template must be a string")
        path = resolve(name, parent, self.sources)
        if path is None:
            raise TemplateNotFound(name)
        spend(len(self.sources[path]))
        return self.compiled[escaping(path) if escapes(parent) and not escapes(path) else path]

    def getattr(self, obj: Any, attribute: str) -> Any:
        kind = type(obj)
        if kind is dict:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if kind is LoopContext:
            if attribute in _LOOP_VALUES:
                return getattr(obj, attribute)
        elif kind is Namespace:
            return self.getitem(obj, attribute)
        elif kind is _GroupTuple and attribute in ("grouper", "list"):
            return getattr(obj, attribute)
        elif kind is Cycler and attribute == "current":
            return obj.current
        elif kind is BlockReference and attribute == "super":
            return obj.super
        elif kind.__name__ == "TemplateModule" and not attribute.startswith("_"):
            return obj.__dict__.get(attribute, self.undefined(obj=obj, name=attribute))
        if attribute.startswith("_"):
            return self.unsafe_undefined(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        kind = type(obj)
        if kind in (dict, list, tuple, str, Markup, range, _GroupTuple):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                return self.undefined(obj=obj, name=argument)
        if kind is Namespace:
            try:
                return getattr(obj, argument) if not argument.startswith("_") else self.unsafe_undefined(obj, argument)
            except (AttributeError, TypeError):
                return self.undefined(obj=obj, name=argument)
        return self.getattr(obj, argument) if isinstance(argument, str) else self.undefined(obj=obj, name=argument)

    def method(self, obj: Any, name: str) -> Any:
        """`obj.name` where it is called: the only way to a method."""
        kind = type(obj)
        if kind is Missing:
            return obj
        if kind is dict and name in _DICT_METHODS:
            return getattr(obj, name)
        if (kind is str or kind is Markup) and name in STRING_METHODS:
            return call_string(obj, name)
        if kind in (list, tuple) and name in _LIST_METHODS:
            weigh(obj)
            return getattr(obj, name)
        if (kind is LoopContext and name in _LOOP_METHODS) or (kind is Cycler and name in _CYCLER_METHODS):
            return getattr(obj, name)
        if kind is TemplateReference:
            return obj[name]
        return self.getattr(obj, name)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        run = RUN.get()
        spend(1)
        if isinstance(obj, Missing):
            return obj()
        if not callable(obj):
            raise TemplateRuntimeError(f"a {described(obj)} is not a function")
        if run.depth >= budget.MAX_DEPTH:
            raise Exhausted(f"calls are nested more than {budget.MAX_DEPTH} deep")
        run.depth += 1
        try:
            return self.made(context.call(obj, *args, **kwargs))
        finally:
            run.depth -= 1

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - Jinja passes it
        for operand in (left, right):
            if isinstance(operand, Missing):
                operand.touch()
                return operand
        if operator == "%" and isinstance(left, str):
            return self.made(checked_format(left, right))
        if operator == "*" and not (_number(left) and _number(right)):
            size, times = (left, right) if _number(right) else (right, left)
            budget.afford(len(size) * max(0, int(times)))
        elif operator == "+" and not (_number(left) and _number(right)):
            weigh(left)
            weigh(right)
            if isinstance(left, str) and isinstance(right, str) and Markup in (type(left), type(right)):
                left, right = escaped(left), escaped(right)  # Markup by itself escapes for HTML alone
        elif operator == "**" and (abs(right) > MAX_BITS or abs(left) > 1 << MAX_BITS):
            raise Exhausted("a power is too large")
        result = self.binop_table[operator](left, right)
        if type(result) is int and result.bit_length() > MAX_BITS:
            raise Exhausted(f"a number has more than {MAX_BITS} bits")
        return self.made(result)

    @staticmethod
    def made(value: Any) -> Any:
        """A value that came into being: its size is counted."""
        if isinstance(value, str | list | tuple | dict):
            budget.afford(len(value))
        return value

    @staticmethod
    def weighed(value: Any) -> Any:
        """A value that is about to be compared."""
        weigh(value)
        return value

    @staticmethod
    def joined(values: tuple[Any, ...]) -> str:
        """The `~` operator."""
        texts = [printed(value) for value in values]
        budget.afford(sum(map(len, texts)))
        if any(isinstance(text, Markup) for text in texts):
            return Markup("").join(escaped(text) for text in texts)
        return "".join(texts)


def escapes(name: str | None) -> bool:
    """Whether a file's output is HTML: everything but text, subjects and style sheets."""
    return name is not None and not name.endswith((".txt", ".css"))


_ESCAPING = "+html"


def escaping(path: str) -> str:
    """The name under which a text file is compiled a second time, escaping, for those HTML files that include it."""
    return path + _ESCAPING


def written(name: str) -> str:
    """The file that a compiled name was written in."""
    return name.removesuffix(_ESCAPING)


def resolve(name: str, parent: str | None, paths: Mapping[str, Any]) -> str | None:
    """The path that `extends`, `include` and `import` mean: from the templates folder, else beside the file itself."""
    if name in paths:
        return name
    beside = f"{parent.rpartition('/')[0]}/{name}" if parent and "/" in parent else None
    return beside if beside in paths else None


def _number(value: Any) -> bool:
    return isinstance(value, int | float)
