"""What is wrong with a mail that a mail reader would show all the same, or not show. Pure."""

import re
from collections.abc import Iterator
from email.message import Message
from html.parser import HTMLParser
from typing import Final, cast
from urllib.parse import urlsplit

from notifier.capture import Captured
from notifier.capture.message import content_type_of

CLIPPED: Final = 102 * 1024
"""Octets of HTML from which on the largest reader cuts it off."""
LONGEST_LINE: Final = 998
"""Octets without the line end (RFC 5322 2.1.1)."""

_LEFT_OVER = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "sms"})


def faults_of(mail: Captured) -> list[str]:
    """Every fault in a sentence; none for a good mail."""
    return [*_headers(mail), *_structure(mail), *_bodies(mail), *_html(mail)]


def _headers(mail: Captured) -> Iterator[str]:
    for name in ("From", "Date", "Message-ID", "Subject"):
        count = sum(1 for key, _ in mail.headers if key.lower() == name.lower())
        if count != 1:
            yield f"there are {count} headers {name} (RFC 5322 3.6)" if count else f"there is no header {name}"
    if not mail.subject.strip():
        yield "the subject is empty"
    if any(key.lower() == "bcc" for key, _ in mail.headers):
        yield "the header Bcc shows who got it in secret"
    if (longest := max(map(len, mail.raw.split(b"\r\n")))) > LONGEST_LINE:
        yield f"a line has {longest} octets; {LONGEST_LINE} are allowed (RFC 5322 2.1.1)"


def _structure(mail: Captured) -> Iterator[str]:
    for part in mail.structure.walk():
        kind = content_type_of(part)
        for defect in part.defects:
            yield f"the {kind} part is malformed: {type(defect).__name__}"
        if kind == "multipart/alternative" and part.is_multipart():
            kinds = [_kind(each) for each in cast(list[Message], part.get_payload())]
            if "text/plain" in kinds[1:]:
                yield "text/plain has to be the first alternative: readers show the last that they can (RFC 2046 5.1.4)"
    if mail.html is not None and not (mail.text or "").strip():
        yield "there is no text part beside the HTML"
    if mail.html is None and not (mail.text or "").strip():
        yield "there is nothing to read in it"


def _kind(part: Message) -> str:
    """The type of a part, or of the HTML in a related one."""
    kind = content_type_of(part)
    return "text/html" if kind == "multipart/related" else kind


def _bodies(mail: Captured) -> Iterator[str]:
    for name, text in (("subject", mail.subject), ("text", mail.text), ("HTML", mail.html)):
        for left in dict.fromkeys(_LEFT_OVER.findall(text or "")):
            yield f"the {name} has a piece of the template in it: {left[:60]}"


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.without_alt: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            found = dict(attrs)
            source = found.get("src") or ""
            self.sources.append(source)
            if "alt" not in found:
                self.without_alt.append(source)


def _html(mail: Captured) -> Iterator[str]:
    if mail.html is None:
        return
    if (size := len(mail.html.encode())) > CLIPPED:
        yield f"the HTML has {size} octets and will be clipped at {CLIPPED}"
    images = _Images()
    images.feed(mail.html)
    for source in images.without_alt:
        yield f"the image {source or '(no src)'} has no alt"
    inline = {part.content_id for part in mail.attachments if part.content_id}
    for source in images.sources:
        if source.startswith("cid:") and source[4:] not in inline:
            yield f"the image {source} is not in the mail"
        elif not _scheme(source):
            yield f"the image {source or '(no src)'} has no absolute URL"
    for label, url in mail.links:
        if _scheme(url) not in _SCHEMES:
            yield f"the link {label or '(no text)'} goes to {url!r}, which is no absolute URL"


def _scheme(url: str) -> str:
    """Empty for what is no absolute URL."""
    try:
        parts = urlsplit(url)
    except ValueError:  # as of "http://[", an address of version 6 that does not end
        return ""
    return "" if parts.scheme in ("http", "https") and not parts.hostname else parts.scheme
