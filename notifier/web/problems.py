"""Errors as the caller sees them: application/problem+json (RFC 9457), whatever went wrong and wherever."""

import http
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from notifier.domain.errors import Fault, Refused, TooMany, Unavailable, summary
from notifier.web.wire.faults import faults_of

MEDIA_TYPE = "application/problem+json"
_MOST_FAULTS = 1000
"""Faults in one answer; `detail` says how many there are."""
_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    431: "headers_too_large",
    500: "internal_error",
    503: "unavailable",
}


class ProblemResponse(Response):
    media_type = MEDIA_TYPE


def title_of(status: int) -> str:
    return http.HTTPStatus(status).phrase


def problem_body(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    faults: Iterable[Fault] = (),
    request_id: str = "",
) -> dict[str, Any]:
    """The members of RFC 9457 and ours: `code` is stable, `errors` names every fault."""
    named = islice(faults, _MOST_FAULTS)
    return {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": detail,
        "code": code or _CODES.get(status, "error"),
        "request_id": request_id,
        "errors": [{"field": fault.field, "code": fault.code, "message": fault.message} for fault in named],
    }


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    code: str | None = None,
    faults: Iterable[Fault] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    request_id = request.scope.get("request_id", "")
    body = problem_body(status, detail, code=code, faults=faults, request_id=request_id)
    return ProblemResponse(_json({**body, **(more or {})}), status, dict(headers or {}))


def _json(body: Mapping[str, Any]) -> bytes:
    # A fault may quote a caller's half surrogate pair, which UTF-8 cannot hold.
    try:
        return to_json(body)
    except (ValueError, UnicodeError):
        return to_json(_printable(body))


def _printable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case Mapping():
            return {_printable(name): _printable(entry) for name, entry in value.items()}
        case list():
            return [_printable(entry) for entry in value]
        case _:
            return value


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - registered for it alone
    headers = {}
    if isinstance(error, TooMany):
        headers["Retry-After"] = _whole_seconds(error.retry_after)
    if error.status == http.HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="notifier"'
    return problem(request, error.status, error.detail, code=error.code, faults=error.faults, headers=headers)


async def _unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, Unavailable)  # noqa: S101 - registered for it alone
    headers = {"Retry-After": _whole_seconds(error.retry_after)}
    return problem(request, 503, error.detail, code=error.code, headers=headers)


def _whole_seconds(seconds: float) -> str:
    return str(max(1, -int(-seconds // 1)))


class _Routing:
    """404 and 405 of the router, 413 of the body's limit."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes

    async def __call__(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        headers = dict(error.headers or {})
        if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED and (methods := self._methods(request)):
            headers = {"Allow": ", ".join(sorted(methods))}
        return problem(request, error.status_code, _DETAILS.get(error.status_code, error.detail), headers=headers)

    def _methods(self, request: Request) -> set[str]:
        """What the path takes: the router names those of the first route alone, and each call of ours has its own."""
        matching = [route for route in self._routes if route.matches(request.scope)[0] is not Match.NONE]
        paths = [getattr(route, "path", "") for route in matching]
        found: set[str] = set()
        for route, path in zip(matching, paths, strict=True):
            if path == paths[0]:
                found |= getattr(route, "methods", None) or set()
        return found


_DETAILS = {404: "there is nothing at this path", 405: "this path does not take this method"}


async def _invalid(request: Request, error: Exception) -> Response:
    """Query parameters and path parameters, as FastAPI reads them."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    faults = faults_of(list(error.errors()), skip=1)
    return problem(request, 422, summary(faults), code=Refused.code, faults=faults)


def install(app: Starlette, routes: Sequence[BaseRoute]) -> None:
    """Makes `app`, whose calls are `routes`, answer every exception that is raised on purpose as a problem."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(HTTPException, _Routing(routes))
    app.add_exception_handler(RequestValidationError, _invalid)
