"""Links that must never be in a mail: schemes that run a program in the reader's browser."""

import html
import re

_GAP = r"[\s\x00-\x20]*"


def _spaced(word: str) -> str:
    """Browsers skip white space and controls inside a scheme."""
    return _GAP.join(f"[{letter}{letter.upper()}]" for letter in word)


_SCHEME = (
    rf"(?:{_spaced('javascript')}|{_spaced('vbscript')}|{_spaced('data')}{_GAP}:{_GAP}{_spaced('text')}){_GAP}[:/]"
)
_DEAD = re.compile(rf"{_GAP}{_SCHEME}")
_ATTRIBUTE = re.compile(
    rf"(?:\b(?:href|src|action|formaction|background|poster|cite|data|xlink:href|srcset)\s*=|\burl\(){_GAP}[\"']?{_GAP}{_SCHEME}",
    re.IGNORECASE,
)

_VEILED = re.compile(
    r"&(?:#0*(?!(?:3[489]|6[02])(?!\d))(?:1[01]\d|12[0-7]|\d{1,2})(?!\d)|#[xX]0*[0-7]?[0-9a-fA-F](?![0-9a-fA-F])"
    r"|colon|Tab|NewLine)"
)
"""A character reference that hides a letter, a colon or white space. Autoescape's own (&#34; &#39;) are none."""
_MARKS = (b"vascript:", b"bscript:", b"data:text")
_LOWER = bytes(range(256)).lower()
_GAPS = bytes(range(0x21))


def dead_link(target: str) -> bool:
    """Whether this link's scheme runs a program: javascript:, vbscript:, data:text/..."""
    return _DEAD.match(html.unescape(target)) is not None


def dead_links(document: str) -> str | None:
    """The first dead link in an HTML document, as it stands there; None if there is none."""
    if _VEILED.search(document) is not None:
        document = html.unescape(document)
    # Whatever a browser could skip is dropped here, and more: what is left only says whether a closer look is due.
    squeezed = document.encode("ascii", "ignore").translate(_LOWER, _GAPS)
    if any(mark in squeezed for mark in _MARKS) and (found := _ATTRIBUTE.search(document)) is not None:
        return found[0]
    return None
