"""The inbox in a browser, and its HTTP API: an application to mount under ``/inbox`` or to serve alone."""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from notifier.capture import api, faults_api
from notifier.capture import release as release_api
from notifier.capture.api import Found, Messages
from notifier.capture.description import describe
from notifier.capture.faults import FaultPlan
from notifier.capture.message import Captured
from notifier.capture.problems import http_problem, problem, validation_problem
from notifier.capture.release import Release
from notifier.capture.store import MessageStore

Tab = Literal["html", "text", "source", "headers", "attachments"]
TABS: tuple[Tab, ...] = ("html", "text", "source", "headers", "attachments")

_FOLDER = Path(__file__).with_name("pages")
_PAGES = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
_SHOWN = 200  # messages in the list
_STREAM_LIFE = 15.0  # seconds; the browser connects again by itself, and a server that drains never waits longer
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
# The mail itself: an origin of its own, no scripts, nothing fetched. Inline images are data: URLs because a sandboxed
# page sends no cookies, so an image behind a sign-in would not load.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


def inbox_app(
    messages: MessageStore,
    faults: FaultPlan | None = None,
    release: Release | None = None,
    links: Mapping[str, str] = MappingProxyType({}),
) -> FastAPI:
    """The inbox of `messages`. With `faults`, ``/api/faults`` scripts them; with `release`, mail can be let go. `links`
    are other pages of the same server, by name."""
    app = FastAPI(title="notifier inbox", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.messages, app.state.faults, app.state.release, app.state.links = messages, faults, release, links
    app.add_exception_handler(HTTPException, http_problem)
    app.add_exception_handler(RequestValidationError, validation_problem)
    app.middleware("http")(_guarded)
    app.include_router(api.router)
    if faults is not None:
        app.include_router(faults_api.router)
    if release is not None:
        app.include_router(release_api.router)
    app.mount("/static", StaticFiles(directory=_FOLDER / "static"))
    app.include_router(_router)
    return app


def standalone_app(messages: MessageStore, faults: FaultPlan | None = None, release: Release | None = None) -> FastAPI:
    """The inbox under ``/inbox``, and ``/readyz`` for whoever started it and waits."""
    app = FastAPI(title="notifier capture", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(HTTPException, http_problem)
    inbox = inbox_app(messages, faults, release)
    app.mount("/inbox", inbox)
    app.openapi = lambda: describe(inbox, "/inbox")  # type: ignore[method-assign]

    @app.get("/")
    async def home() -> RedirectResponse:
        return RedirectResponse("/inbox/")

    @app.get("/readyz")
    async def ready() -> JSONResponse:
        return JSONResponse({"ready": not messages.closed}, 503 if messages.closed else 200)

    return app


async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuses what another site asks a browser to change, and sets the headers that every answer has."""
    fetched_from = request.headers.get("sec-fetch-site", "none")
    if request.method not in {"GET", "HEAD"} and fetched_from not in {"same-origin", "none"}:
        return problem(403, "cross_site", "this was asked for by another site's page")
    response = await call_next(request)
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"  # what a mail links to has no hold of this tab
    return response


_router = APIRouter(include_in_schema=False)


def _page(name: str, request: Request, **data: object) -> HTMLResponse:
    base, links = request.scope.get("root_path", ""), request.app.state.links
    return HTMLResponse(_PAGES.get_template(name).render(base=base, links=links, **data))


def _newest(messages: MessageStore) -> dict[str, object]:
    return {"messages": messages.snapshot()[: -_SHOWN - 1 : -1], "total": len(messages), "dropped": messages.dropped}


@_router.get("/")
async def inbox(request: Request, messages: Messages) -> HTMLResponse:
    return _page("inbox.html", request, **_newest(messages))


@_router.get("/list")
async def listed(request: Request, messages: Messages) -> HTMLResponse:
    """The list alone, which the page puts in place of its own when something came."""
    return _page("list.html", request, **_newest(messages))


@_router.get("/events")
async def events(messages: Messages) -> StreamingResponse:
    return StreamingResponse(_changes(messages), media_type="text/event-stream")


@_router.post("/delete")
async def delete(request: Request, messages: Messages) -> RedirectResponse:
    messages.clear()
    return RedirectResponse(request.scope.get("root_path", "") + "/", 303)


@_router.get("/messages/{id}")
async def one(request: Request, message: Found, tab: Tab | None = None) -> HTMLResponse:
    shown = tab or ("html" if message.html else "text")
    return _page("message.html", request, message=message, tabs=TABS, tab=shown)


@_router.get("/messages/{id}/html")
async def html(message: Found) -> HTMLResponse:
    return HTMLResponse(framed(message), headers={"Content-Security-Policy": _MAIL_POLICY})


@_router.get("/messages/{id}/attachments/{number}")
async def attachment(message: Found, number: int) -> Response:
    """As a download of no type that a browser would show."""
    attachments = message.attachments
    if not 0 <= number < len(attachments):
        raise HTTPException(404, f"no attachment {number}")
    name = quote(attachments[number].filename, safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(attachments[number].content, media_type="application/octet-stream", headers=headers)


@_router.get("/api/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    return JSONResponse(describe(request.app, request.scope.get("root_path", "")))


async def _changes(messages: MessageStore) -> AsyncIterator[str]:
    """Server-sent events (one per change, without data), for a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _STREAM_LIFE
    yield "retry: 500\ndata: hello\n\n"
    with messages.watch() as bell:
        while not messages.closed and loop.time() < end:
            try:
                await asyncio.wait_for(bell.wait(), end - loop.time())
            except TimeoutError:
                return
            bell.clear()
            yield "data: change\n\n"


def framed(message: Captured) -> str:
    """The HTML of the mail with its inline images in it (RFC 2392), and its links opening outside of the frame."""
    html = message.html or ""
    for part in message.attachments:
        if part.content_id and re.fullmatch(r"image/[\w.+-]+", part.content_type):
            data = f"data:{part.content_type};base64,{b64encode(part.content).decode()}"
            for name in {part.content_id, quote(part.content_id)}:
                html = html.replace(f"cid:{name}", data)
    target = '<base target="_blank">'
    return re.sub(r"<head(?:\s[^>]*)?>|\Z", lambda head: head.group() + target, html, count=1, flags=re.IGNORECASE)
