"""What can go wrong with a call, as one tree.

NotifierError
├── Refused              the service answered, and will not do it: `status`, `code`, `detail`, `errors`
│   ├── Unauthenticated  401  no key, or not a good one
│   ├── Forbidden        403  the key may not do this
│   ├── NotFound         404  nothing of that name or id
│   ├── Conflict         409  the thing is in a state that does not allow it
│   ├── Invalid          422  the request cannot be taken; `errors` names every field at fault
│   └── RateLimited      429  too many requests, after all retries
├── Unavailable          5xx after all retries; a send may be repeated with the same idempotency key
├── Unreachable          no (whole) answer, after all retries
└── NotFinal             `wait_until_final` ran out of time
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifier.client.answers import Notification


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with a request: the field's path (``data.order_id``, ``to[1]``), a stable code and a
    sentence."""

    field: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class NotifierError(Exception):
    """Whatever a call may raise."""


class Refused(NotifierError):
    """The service will not do it. `code` is stable, `request_id` finds the request in the service's log."""

    def __init__(
        self, status: int, code: str, detail: str, errors: Sequence[FieldError] = (), request_id: str = ""
    ) -> None:
        listed = "; ".join(str(error) for error in errors)
        super().__init__(listed or detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.request_id = request_id


class Unauthenticated(Refused):
    """401"""


class Forbidden(Refused):
    """403"""


class NotFound(Refused):
    """404"""


class Conflict(Refused):
    """409"""


class Invalid(Refused):
    """422"""


class RateLimited(Refused):
    """429"""


class Unavailable(NotifierError):
    """The service answered 5xx each time. What it accepted before is safe."""

    def __init__(self, status: int, code: str, detail: str, request_id: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id


class Unreachable(NotifierError):
    """No answer came. Whether the request did is not known: repeat it with the same idempotency key."""


class NotFinal(NotifierError, TimeoutError):
    """Not final within the time that was given; `notification` says where it stands."""

    def __init__(self, notification: "Notification", seconds: float) -> None:
        super().__init__(f"notification {notification.id} is {notification.status} after {seconds:g} s")
        self.notification = notification


_BY_STATUS = {401: Unauthenticated, 403: Forbidden, 404: NotFound, 409: Conflict, 422: Invalid, 429: RateLimited}


def error_of(status: int, problem: Mapping[str, Any]) -> Refused | Unavailable:
    """The error that a problem (RFC 9457) stands for. What is no problem of ours (a proxy's page) makes one too."""
    code = str(problem.get("code") or "error")
    detail = str(problem.get("detail") or problem.get("title") or f"the service answered {status}")
    request_id = str(problem.get("request_id") or "")
    if status >= 500:
        return Unavailable(status, code, detail, request_id)
    return _BY_STATUS.get(status, Refused)(status, code, detail, field_errors(problem), request_id)


def field_errors(problem: Mapping[str, Any]) -> tuple[FieldError, ...]:
    return tuple(
        FieldError(str(error.get("field", "")), str(error.get("code", "")), str(error.get("message", "")))
        for error in problem.get("errors") or ()
        if isinstance(error, Mapping)
    )
