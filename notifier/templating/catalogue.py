"""Translations: gettext catalogues (`messages.po`) and the functions that `{% trans %}` and `_()` call."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from gettext import c2py
from typing import Any

from babel.messages.pofile import PoFileError, read_po
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context
from jinja2.utils import pass_context
from markupsafe import Markup

from notifier.domain.errors import Fault
from notifier.templating.budget import RUN, afford
from notifier.templating.strings import escaped, printed

_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|(%)|)")
_PLURALS = re.compile(r"[n0-9\s()?:<>=!&|%+*/-]*")


@dataclass(frozen=True)
class Catalogue:
    """The messages of one locale, its fallbacks behind it. `messages` maps (context, msgid) to the forms."""

    messages: Mapping[tuple[str | None, str], Sequence[str]] = field(default_factory=dict)
    plural: Callable[[int], int] = lambda number: int(number != 1)
    fallback: "Catalogue | None" = None

    def find(self, context: str | None, singular: str, plural: str | None = None, number: int = 1) -> str:
        """The translation, else the text itself."""
        forms = self.messages.get((context, singular))
        if forms is not None:
            form = self.plural(number) if plural is not None else 0
            if 0 <= form < len(forms) and forms[form]:
                return forms[form]
        if self.fallback is not None:
            return self.fallback.find(context, singular, plural, number)
        return singular if plural is None or number == 1 else plural


EMPTY = Catalogue()


def read_catalogue(path: str, text: str, fallback: Catalogue | None) -> Catalogue | Fault:
    """Parse a .po file. Fuzzy and empty messages count as not translated. A fault where it cannot be read."""
    try:
        parsed = read_po(io.StringIO(text), abort_invalid=True)
        plural = parsed.plural_expr
        if len(plural) > 400 or _PLURALS.fullmatch(plural) is None or "**" in plural:
            return Fault(f"{path}:1:1", "syntax", f"the plural forms {plural!r} are not understood")
        chosen = _plural_function(plural)
        chosen(1)
    except PoFileError as error:
        return Fault(f"{path}:{getattr(error, 'lineno', 0) + 1}:1", "syntax", str(error.args[0]))
    except (ValueError, ArithmeticError, SyntaxError, RecursionError) as error:
        return Fault(f"{path}:1:1", "syntax", str(error) or "the catalogue cannot be read")
    messages: dict[tuple[str | None, str], tuple[str, ...]] = {}
    for message in parsed:
        if not message.id or message.fuzzy:
            continue
        singular = message.id[0] if isinstance(message.id, list | tuple) else message.id
        forms = message.string if isinstance(message.string, list | tuple) else (message.string,)
        messages[message.context, singular] = tuple(form or "" for form in forms)
    return Catalogue(messages, chosen, fallback)


def _plural_function(expression: str) -> Callable[[int], int]:
    """The standard library's own compiler of plural forms; it knows numbers, `n` and C's operators alone."""
    compiled: Callable[[int], int] = c2py(expression)
    return compiled


def _filled(context: Context, text: str, variables: Mapping[str, Any]) -> str:
    """`%(name)s` replaced, values escaped in HTML; no other format is known, so that no width can be asked for."""
    escape = bool(context.eval_ctx.autoescape)

    def value(found: re.Match[str]) -> str:
        if found[2]:
            return "%"
        name = found[1]
        if name is None:
            return found[0]
        if name not in variables:
            raise TemplateRuntimeError(f"the translation of this text asks for %({name})s, which it is not given")
        text = printed(variables[name])
        return str(escaped(text)) if escape else text

    filled = _PLACEHOLDER.sub(value, text)
    afford(len(filled))
    return Markup(filled) if escape else filled  # noqa: S704 - the author's text, its values escaped above


def _count(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int | float):
        if hasattr(number, "touch"):
            number.touch()
            return 1
        raise TemplateRuntimeError("a plural needs a number")
    return int(number)


@pass_context
def gettext(context: Context, singular: str, /, **variables: Any) -> str:
    """`_("text %(name)s", name=...)`."""
    return _filled(context, RUN.get().catalogue.find(None, str(singular)), variables)


@pass_context
def ngettext(context: Context, singular: str, plural: str, num: Any, /, **variables: Any) -> str:
    """`ngettext("%(num)s item", "%(num)s items", count)`."""
    found = RUN.get().catalogue.find(None, str(singular), str(plural), _count(num))
    return _filled(context, found, {"num": num, **variables})


@pass_context
def pgettext(context: Context, message_context: str, singular: str, /, **variables: Any) -> str:
    """The same with a message context."""
    return _filled(context, RUN.get().catalogue.find(str(message_context), str(singular)), variables)


@pass_context
def npgettext(context: Context, message_context: str, singular: str, plural: str, num: Any, /, **variables: Any) -> str:
    """The same with a message context and a plural."""
    found = RUN.get().catalogue.find(str(message_context), str(singular), str(plural), _count(num))
    return _filled(context, found, {"num": num, **variables})


GETTEXT = {"_": gettext, "gettext": gettext, "ngettext": ngettext, "pgettext": pgettext, "npgettext": npgettext}
