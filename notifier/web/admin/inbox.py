"""Who gets into the inbox of a service that others can reach: what it captured holds login codes."""

from typing import Final

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from notifier.domain.errors import Forbidden, Unauthenticated
from notifier.web.admin.office import BASE, services_of
from notifier.web.admin.sessions import signed_in
from notifier.web.callers import require

_SAFE: Final = {"GET", "HEAD"}


class Gate:
    """Lets into `inbox` who is signed in to `admin`; changing anything takes an editor. Below ``/api/`` an API key does
    as well: with the scope `read` to look, with `admin` for the rest. Raises Unauthenticated and Forbidden there, for
    the application that it is mounted in."""

    def __init__(self, inbox: ASGIApp, admin: FastAPI) -> None:
        self._inbox = inbox
        self._admin = admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request({**scope, "app": self._admin})
            is_api = scope["path"].removeprefix(scope.get("root_path", "")).startswith("/api/")
            if not await _may(request, is_api):
                await RedirectResponse(f"{BASE}/sign-in", 303)(scope, receive, send)
                return
        await self._inbox(scope, receive, send)


async def _may(request: Request, is_api: bool) -> bool:
    """False for a page that nobody is signed in for."""
    looks = request.method in _SAFE
    authorization = request.headers.get("authorization")
    if is_api and authorization is not None:
        key = await services_of(request).authenticator(authorization)
        require(key, *(("read", "admin") if looks else ("admin",)))
        return True
    user = await signed_in(request)
    if user is not None and not looks and not user.may("editor"):
        raise Forbidden(f"this takes the role editor, and {user.name} is {user.role}")
    if user is None and is_api:
        raise Unauthenticated("send an API key with the scope read or admin, or sign in to the pages")
    return user is not None
