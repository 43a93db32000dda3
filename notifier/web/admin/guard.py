"""What every request to the admin pages passes: nobody else's page may change anything, and what an answer may do."""

import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE: Final = {"GET", "HEAD"}
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MAIL_POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
"""For a mail in a frame: an origin of its own, no scripts, nothing fetched."""


class Guard:
    """Refuses changes that another site asks a browser for (Sec-Fetch-Site, or Origin where a browser is old), and
    sets the headers that every answer has. `nonce` in the scope is for the styles that CodeMirror makes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        nonce = scope["nonce"] = secrets.token_urlsafe(16)
        if scope["method"] not in _SAFE and not _is_ours(headers):
            refusal = PlainTextResponse("this was asked for by another site's page", 403)
            await refusal(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.setdefault("content-security-policy", _PAGE_POLICY.format(nonce=nonce))
                answer.setdefault("cache-control", "no-store")
                answer["x-content-type-options"] = "nosniff"
                answer["referrer-policy"] = "no-referrer"
                answer["cross-origin-opener-policy"] = "same-origin"
                answer["cross-origin-resource-policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, send_guarded)


def _is_ours(headers: Headers) -> bool:
    """Whether a page of this origin asks. A form or script of ours always says one of the two."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")
