"""Names that the data does not have: strict when a mail is rendered, patient when all of them are to be told."""

import sys
from collections.abc import Iterator
from typing import Any

from jinja2.exceptions import UndefinedError
from jinja2.runtime import Undefined
from jinja2.utils import missing

from notifier.templating.budget import RUN


class MissingVariable(UndefinedError):
    """A name that the data does not have was used; `missing` is that name."""

    def __init__(self, value: "Missing") -> None:
        super().__init__(value._undefined_message)
        self.missing = value


class Missing(Undefined):
    """A name that is not there. Reaching further into it is allowed (`user.name|default("you")`), using it is not:
    it raises, or is noted and acts as nothing while a run collects."""

    __slots__ = ()

    def touch(self) -> None:
        """Be used: raise, or be noted with the place where it happened."""
        run = RUN.get(None)
        if run is None or not run.collecting:
            if self._undefined_exception is not UndefinedError:
                raise self._undefined_exception(self._undefined_message)
            raise MissingVariable(self)
        run.missing.append((self, *_here()))

    def _nothing(self, *_: Any) -> Any:
        self.touch()
        return self

    def _false(self, *_: Any) -> bool:
        self.touch()
        return False

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _nothing
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __pos__ = __neg__ = _nothing
    __getitem__ = __call__ = _nothing
    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = _false  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __str__(self) -> str:
        self.touch()
        return ""

    def __iter__(self) -> Iterator[Any]:
        self.touch()
        return iter(())

    def __len__(self) -> int:
        self.touch()
        return 0

    def __eq__(self, other: object) -> bool:
        return self._false(other)

    def __ne__(self, other: object) -> bool:
        return self._false(other)

    def __hash__(self) -> int:
        return int(self._false())

    def __int__(self) -> int:  # type: ignore[override]
        return int(self._false())

    def __float__(self) -> float:  # type: ignore[override]
        return float(self._false())

    def path(self) -> tuple[Any, tuple[Any, ...]]:
        """Where it hangs (a container, or None for the top), and the names from there."""
        names: list[Any] = [self._undefined_name]
        parent = self._undefined_obj
        while isinstance(parent, Missing):
            names.append(parent._undefined_name)
            parent = parent._undefined_obj
        return (None if parent is missing else parent), tuple(reversed(names))

    @property
    def named(self) -> bool:
        """Whether it is a name at all, and not the result of something forbidden or of a missing argument."""
        return self._undefined_hint is None


def _here() -> tuple[str, int]:
    """The template and the line that are being rendered, from the Python frames above."""
    frame = sys._getframe(2)
    while frame is not None:
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            return template.name, template.get_corresponding_lineno(frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return "", 0
