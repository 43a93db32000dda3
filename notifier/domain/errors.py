"""The one exception tree. What is raised here is understood at the front door (`web/problems.py`) and by the CLI.

NotifierError
├── Refused              the request cannot be taken; lists every fault               422
│   ├── Unauthenticated  no key, or not a good one                                    401
│   ├── Forbidden        the key may not do this                                      403
│   ├── NotFound         nothing of that name or id                                   404
│   ├── Conflict         the thing is in a state that does not allow it               409
│   └── TooMany          the key's rate is used up                                    429
├── Unavailable          not now; try again after `retry_after` seconds               503
└── ConfigurationError   a setting makes no sense; one sentence for a person
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request.

    `field` is a path in the caller's own words (``data.order_id``, ``to[1]``, ``parts.body.html:12:3``), `code` is
    stable (``missing``, ``type``, ``unknown``, ``syntax``...), `message` is a sentence for a person.
    """

    field: str
    code: str
    message: str

    def under(self, prefix: str) -> "Fault":
        """The same fault, seen from one level further out (a batch's item, a list's entry)."""
        separator = "" if not self.field or self.field.startswith("[") else "."
        return Fault(f"{prefix}{separator}{self.field}", self.code, self.message)


class NotifierError(Exception):
    """Whatever notifier raises on purpose."""


class Refused(NotifierError):
    """The request cannot be taken as it is. Nothing was stored."""

    status = 422
    code = "invalid_request"

    def __init__(self, detail: str, *, code: str | None = None, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.faults = tuple(faults)


def refused(faults: Sequence[Fault]) -> Refused:
    """The refusal that names them all."""
    return Refused(summary(faults), faults=faults)


def summary(faults: Sequence[Fault]) -> str:
    """The faults in a sentence: the first, and how many there are."""
    first = f"{faults[0].field}: {faults[0].message}" if faults[0].field else faults[0].message
    return first if len(faults) == 1 else f"{len(faults)} faults, the first: {first}"


class Unauthenticated(Refused):
    status = 401
    code = "unauthenticated"


class Forbidden(Refused):
    status = 403
    code = "forbidden"


class NotFound(Refused):
    status = 404
    code = "not_found"


class Conflict(Refused):
    status = 409
    code = "conflict"


class TooMany(Refused):
    status = 429
    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(NotifierError):
    """Not now. What was accepted before is safe."""

    def __init__(self, detail: str, *, retry_after: float = 1.0, code: str = "unavailable") -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        self.code = code


class ConfigurationError(NotifierError):
    """A setting makes no sense. The message is one sentence that names it and says what would."""
