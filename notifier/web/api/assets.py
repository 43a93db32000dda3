"""Hosted pictures of templates: what `asset()` links to where NOTIFIER_PUBLIC_URL is set. Readers' mail programs load
them, so there is no key; nobody finds one without the hash of its bytes."""

import re
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.errors import NotFound
from notifier.web.services import services_of

router = APIRouter(include_in_schema=False)

_BEGINNING: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TYPES: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "ico": "image/x-icon",
    "bmp": "image/bmp",
    "svg": "image/svg+xml",
}
_HEADERS: Final = {
    # The name is the hash of the bytes: what it names never changes.
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    # An SVG opened by itself is a document, and this origin is also the admin's.
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
}


@router.api_route("/assets/{beginning}/{filename}", methods=["GET", "HEAD"])
async def get_asset(request: Request, beginning: str, filename: str) -> Response:
    """The bytes whose SHA-256 begins so. The name says the type, and only pictures are served."""
    content_type = _TYPES.get(filename.rpartition(".")[2].lower())
    if content_type is None or not _BEGINNING.fullmatch(beginning):
        raise NotFound("there is no such picture")
    etag = f'"{beginning}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={**_HEADERS, "etag": etag})
    content = await services_of(request).store.find_asset(beginning)
    if content is None:
        raise NotFound("there is no such picture")
    return Response(content, media_type=content_type, headers={**_HEADERS, "etag": etag})
