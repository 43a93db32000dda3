"""The admin pages as one application, to be mounted under /admin."""

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from notifier.domain.errors import Fault, Refused, Unavailable
from notifier.web.admin import (
    bulk,
    entrance,
    keys,
    notifications,
    overview,
    pauses,
    people,
    relay,
    stream,
    suppressions,
    templates,
    webhooks,
)
from notifier.web.admin.guard import Guard
from notifier.web.admin.office import BASE, Office
from notifier.web.admin.pages import FOLDER, page, static_version
from notifier.web.admin.sessions import SignedOut
from notifier.web.services import Services

_MODULES = (
    entrance,
    overview,
    stream,
    notifications,
    bulk,
    suppressions,
    pauses,
    templates,
    keys,
    webhooks,
    relay,
    people,
)


def admin_app(services: Services, office: Office) -> FastAPI:
    app = FastAPI(title="notifier admin", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.services = services
    app.state.office = office
    app.add_middleware(Guard)
    for failure, answer in ((SignedOut, _signed_out), (Refused, _refused), (Unavailable, _unavailable)):
        app.add_exception_handler(failure, answer)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    for module in _MODULES:
        app.include_router(module.router)
    app.mount(f"/static/{static_version()}", _Forever(directory=FOLDER / "static"))
    return app


class _Forever(StaticFiles):
    """Files whose address changes with what is in them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


async def _signed_out(request: Request, _error: Exception) -> Response:
    """To the door, and back here afterwards."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    door = f"{BASE}/sign-in" + (f"?then={quote(here)}" if request.method == "GET" else "")
    if "hx-request" in request.headers or "json" in request.headers.get("accept", ""):
        return Response(status_code=401, headers={"hx-redirect": f"{BASE}/sign-in"})
    return RedirectResponse(door, 303)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - registered for it alone
    return _trouble(request, error.status, error.detail, [_told(fault) for fault in error.faults])


def _told(fault: Fault) -> str:
    return f"{fault.field}: {fault.message}" if fault.field else fault.message


async def _unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, Unavailable)  # noqa: S101 - registered for it alone
    return _trouble(request, 503, error.detail)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    return _trouble(request, error.status_code, "There is no such page." if error.status_code == 404 else error.detail)


async def _invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001 - an address that no page of ours has
    return _trouble(request, 404, "There is no such page.")


def _trouble(request: Request, status: int, detail: str, more: list[str] | None = None) -> Response:
    return page(
        request, "trouble.html", status, detail=detail, more=[line for line in more or [] if line not in detail]
    )
