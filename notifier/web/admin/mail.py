"""A mail as a browser may show it: its HTML with the inline images in it, on a page that can do nothing."""

import re
from base64 import b64encode
from email import message_from_bytes, policy
from typing import Final
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from notifier.web.admin.guard import MAIL_POLICY

_UNKNOWN: Final = re.compile(r"""(\bsrc\s*=\s*["']?)cid:[^"'\s>]+""", re.IGNORECASE)
_NOTHING: Final = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
NO_HTML: Final = "<p style='font: 15px system-ui'>This mail has no HTML.</p>"


def framed(html: str, images: dict[str, tuple[str, bytes]]) -> Response:
    """`images` are (type, content) by Content-ID. They become data: URLs, for a sandboxed page sends no cookie that
    would let it fetch them (RFC 2392 has the names); links open outside of the frame."""
    for name, (content_type, content) in images.items():
        if re.fullmatch(r"image/[\w.+-]+", content_type):
            data = f"data:{content_type};base64,{b64encode(content).decode()}"
            for written in {name, quote(name)}:
                html = html.replace(f"cid:{written}", data)
    html = _UNKNOWN.sub(lambda src: src[1] + _NOTHING, html)
    base = '<base target="_blank">'
    html = re.sub(r"<head(?:\s[^>]*)?>|\Z", lambda head: head.group() + base, html, count=1, flags=re.IGNORECASE)
    return HTMLResponse(html, headers={"content-security-policy": MAIL_POLICY})


def images_of(octets: bytes) -> dict[str, tuple[str, bytes]]:
    """The inline images of a message as it goes over the wire."""
    found: dict[str, tuple[str, bytes]] = {}
    for part in message_from_bytes(octets, policy=policy.default).walk():
        name = str(part.get("Content-ID") or "").strip().strip("<>")
        if name and part.get_content_maintype() == "image":
            content = part.get_payload(decode=True)
            found[name] = (part.get_content_type(), content if isinstance(content, bytes) else b"")
    return found
