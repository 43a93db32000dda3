"""What one render may use up, counted and never timed: the same data always comes to the same end.

Three counters: `steps` (loop passes, calls, includes, filters), `work` (characters and items made or looked through),
and nesting. A single value and a single part have limits of their own. All limits are constants of the product:
a limit that can be set is a render that was accepted on one machine and fails on another.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2.exceptions import TemplateRuntimeError
from markupsafe import Markup

from notifier.domain.notification import Attachment

if TYPE_CHECKING:
    from notifier.templating.catalogue import Catalogue
    from notifier.templating.missing import Missing

MAX_STEPS = 50_000
"""Loop passes, calls, includes and filters of one render."""
MAX_WORK = 5_000_000
"""Characters and items that one render may make or look through."""
MAX_VALUE = 500_000
"""Characters of one value made by an operator or a filter; the items of a list, too."""
MAX_OUTPUT = 1_000_000
"""Characters of one rendered part."""
MAX_DEPTH = 30
"""Calls of macros within macros, and containers within containers."""
MAX_RANGE = 10_000
"""Numbers of one `range()`."""
MAX_BITS = 256
"""Bits of a whole number."""


class Exhausted(TemplateRuntimeError):
    """A budget is used up. Deterministic: this data never renders with this version."""


@dataclass(slots=True)
class Run:
    """One render: what it knows of its reader, what it has used up, and what it found missing.
    `markdown` says that the part being rendered will be read as Markdown, `judging` that the result is not known yet to
    be fit for a mail."""

    locale: str
    timezone: str
    at: datetime
    catalogue: "Catalogue"
    name: str
    public_url: str | None
    files: "dict[str, Attachment]"
    collecting: bool = False
    markdown: bool = False
    judging: bool = False
    steps: int = 0
    work: int = 0
    depth: int = 0
    inline: "dict[str, Attachment]" = field(default_factory=dict)
    missing: "list[tuple[Missing, str, int]]" = field(default_factory=list)

    def step(self, work: int) -> None:
        """Count one step and `work`."""
        self.steps += 1
        self.work += work
        if self.steps > MAX_STEPS or self.work > MAX_WORK:
            _refuse(self)

    def charge(self, work: int) -> None:
        """Count `work` alone."""
        self.work += work
        if self.work > MAX_WORK:
            _refuse(self)


RUN: ContextVar[Run] = ContextVar("run")
"""The render that is going on in this thread or task. Rendering is synchronous: there is one at a time."""


def spend(work: int) -> bool:
    """Count one step and `work`. True, so that it can stand in a condition."""
    RUN.get().step(work)
    return True


def _refuse(run: Run) -> NoReturn:
    if run.steps > MAX_STEPS:
        raise Exhausted(f"the template takes more than {MAX_STEPS} steps (loop passes, calls and filters)")
    raise Exhausted(f"the template makes more than {MAX_WORK} characters and items on its way")


def spend_work(work: int) -> None:
    """Count `work` alone."""
    RUN.get().charge(work)


def afford(size: int) -> None:
    """Count a value of `size` characters or items before it is made."""
    if size > MAX_VALUE:
        raise Exhausted(f"a value would be {size} long, and {MAX_VALUE} is the most")
    spend_work(size)


def weigh(value: Any, depth: int = 0) -> None:
    """Count what is in `value`, to the bottom: shared parts count each time, as they do when printed or compared."""
    kind = type(value)
    if kind is str or kind is Markup:
        spend_work(len(value))
    elif kind is dict:
        spend_work(len(value) + 1)
        nested(depth)
        for key, item in value.items():
            weigh(key, depth + 1)
            weigh(item, depth + 1)
    elif kind is list or kind is tuple:
        spend_work(len(value) + 1)
        nested(depth)
        for item in value:
            weigh(item, depth + 1)


def nested(depth: int) -> None:
    """Refuse containers that are nested deeper than any walk should follow."""
    if depth > MAX_DEPTH:
        raise Exhausted(f"a value is nested more than {MAX_DEPTH} deep")
