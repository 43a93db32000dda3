"""A mail as a browser may show it: its HTML with the inline images in it, on a page that can do nothing."""

import re
from base64 import b64encode
from collections.abc import Mapping
from email import message_from_bytes, policy
from typing import Final
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from notifier.web.admin.guard import MAIL_POLICY

_UNKNOWN: Final = re.compile(r"""(\bsrc\s*=\s*["']?)cid:[^"'\s>]+""", re.IGNORECASE)
_SOURCE: Final = re.compile(r"(<img\b[^>]*?\s)(src(?:set)?\s*=)", re.IGNORECASE)
_NOTHING: Final = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
NO_HTML: Final = "<p style='font: 15px system-ui'>This mail has no HTML.</p>"


def framed(html: str, images: Mapping[str, tuple[str, bytes]], *, shown: bool = True) -> Response:
    """`images` are (type, content) by address, as it stands in the HTML (``cid:...``, RFC 2392). They become data:
    URLs, for a sandboxed page sends no cookie that would let it fetch them; links open outside of the frame. Without
    `shown` it is what a reader sees who does not load images."""
    if shown:
        html = _with_images(html, images)
    else:
        html = _SOURCE.sub(r"\1data-\2", html)
    base = '<base target="_blank">'
    html = re.sub(r"<head(?:\s[^>]*)?>|\Z", lambda head: head.group() + base, html, count=1, flags=re.IGNORECASE)
    return HTMLResponse(html, headers={"content-security-policy": MAIL_POLICY})


def _with_images(html: str, images: Mapping[str, tuple[str, bytes]]) -> str:
    for address, (content_type, content) in images.items():
        if re.fullmatch(r"image/[\w.+-]+", content_type):
            data = f"data:{content_type};base64,{b64encode(content).decode()}"
            for written in {address, quote(address, safe=":/")}:
                html = html.replace(written, data)
    return _UNKNOWN.sub(lambda src: src[1] + _NOTHING, html)


def images_of(octets: bytes) -> dict[str, tuple[str, bytes]]:
    """The inline images of a message as it goes over the wire, by their addresses in its HTML."""
    found: dict[str, tuple[str, bytes]] = {}
    for part in message_from_bytes(octets, policy=policy.default).walk():
        name = str(part.get("Content-ID") or "").strip().strip("<>")
        if name and part.get_content_maintype() == "image":
            content = part.get_payload(decode=True)
            found[f"cid:{name}"] = (part.get_content_type(), content if isinstance(content, bytes) else b"")
    return found
