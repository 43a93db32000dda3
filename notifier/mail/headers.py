"""Header lines of a message (RFC 5322, RFC 2047, RFC 2231, RFC 2369, RFC 6532), and which ones a caller may set.

Every function that makes a header returns it without its last CRLF, folded at spaces alone.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote

from notifier.domain.errors import Fault
from notifier.domain.notification import Address
from notifier.mail.address import check_name, envelope_address, needs_smtputf8
from notifier.mail.words import COLUMNS, LEAST_ROOM, bare_phrase, encoded_words, objection

LONGEST_NAME = COLUMNS - LEAST_ROOM - len(": ")
"""Characters. The value begins on the line of its name: some readers take its first fold for a part of it."""
LONGEST_VALUE = 8192
LONGEST_WORD = 900
"""Octets between two spaces: a line may have 998 of them (RFC 5322 2.1.1)."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SPACED_WORD = re.compile(" *[^ ]+")
_MESSAGE_IDS = re.compile(r"<[^\s<>@]+@[^\s<>@]+>(?: +<[^\s<>@]+@[^\s<>@]+>)*")
_SPACE_IN_BRACKETS = re.compile("<[^<>]* ")
_QUOTABLE_FILE_NAME = re.compile(r"[ !#-\[\]-~]{1,50}")  # readers disagree on escapes
_ATTR_CHARS = "!#$&+-.^_`|~"
_OF_MESSAGE_IDS = frozenset({"references", "in-reply-to"})
_OF_URLS = frozenset({"list-unsubscribe", "list-subscribe", "list-help", "list-owner", "list-archive"})
_OURS = frozenset(
    {"from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version",
     "auto-submitted", "received", "return-path", "dkim-signature", "authentication-results"}
)  # fmt: skip


def text_header(name: str, text: str) -> str:
    """An unstructured header; `name` has at most `LONGEST_NAME` characters. Text that is not ASCII, or that a reader
    could take for something else, becomes encoded words."""
    if text.isascii() and "=?" not in text and text == text.strip(" "):
        if len(name) + 2 + len(text) <= COLUMNS:
            return f"{name}: {text}"
        words = _SPACED_WORD.findall(" " + text)
        if max(map(len, words)) <= LONGEST_WORD:
            return _folded(f"{name}:", words)
    return f"{name}: " + "\r\n ".join(encoded_words(text, COLUMNS - len(name) - 2))


def structured_header(name: str, value: str) -> str:
    """A header whose value is syntax (message ids, URLs): its words are left as they are."""
    return _folded(f"{name}:", [f" {word}" for word in value.split(" ") if word])


def _folded(line: str, words: Iterable[str]) -> str:
    """`line` and `words` (each with the spaces before it) on lines of `COLUMNS`, longer where a word is. The first
    word stays on the first line: some readers take a line with a bare name for an empty header."""
    lines = []
    bare = True
    for word in words:
        if len(line) + len(word) > COLUMNS and not bare:
            lines.append(line)
            line = ""
        line += word
        bare = False
    lines.append(line)
    return "\r\n".join(lines)


def address_header(name: str, addresses: Iterable[Address], *, smtputf8: bool = False) -> str:
    """A header of mailboxes (RFC 5322 3.4). Domains are in A-labels.

    A local part that is not ASCII is written in UTF-8 (RFC 6532) with `smtputf8`; without, its mailbox becomes a
    group of nobody that shows name and address (RFC 6857 section 3). Raises `AddressError`.
    """
    header = f"{name}:"
    column = len(header)
    separator = ""
    for address in addresses:
        header += separator
        column += len(separator)
        separator = ","
        for word in _mailbox(address, COLUMNS - 1 - column, smtputf8):
            if column + len(word) >= COLUMNS - 1 and column > len(name) + 1:
                header += "\r\n"
                column = 0
            header += f" {word}"
            column += 1 + len(word)
    return header


def _mailbox(address: Address, room: int, smtputf8: bool) -> list[str]:
    """The words of a mailbox, between which it may be folded."""
    email = envelope_address(address.email)
    name = check_name(address.name) if address.name else ""
    if not smtputf8 and needs_smtputf8(email):
        return [*_phrase(f"{name} {email}" if name else email, room), ":;"]
    if not name:
        return [email]
    bare = bare_phrase(name)
    return [*([bare] if bare is not None else _phrase(name, room)), f"<{email}>"]


def _phrase(text: str, room: int) -> list[str]:
    return encoded_words(text, room - 1 if room > LEAST_ROOM else COLUMNS - 2)


def file_name_parameter(filename: str) -> str:
    """``; filename=...`` of Content-Disposition, folded; percent-encoded and in sections where needed (RFC 2231),
    never an encoded word."""
    if _QUOTABLE_FILE_NAME.fullmatch(filename) and "=?" not in filename:
        return f';\r\n filename="{filename}"'
    sections = [""]
    for character in filename:
        octets = quote(character, safe=_ATTR_CHARS)
        if len(sections[-1]) + len(octets) > 50:
            sections.append("")
        sections[-1] += octets
    if len(sections) == 1:
        return f";\r\n filename*=utf-8''{sections[0]}"
    sections[0] = f"utf-8''{sections[0]}"
    return "".join(f";\r\n filename*{n}*={section}" for n, section in enumerate(sections))


def caller_header(name: str, value: str) -> str:
    """A header that `check_header` has nothing against."""
    return text_header(name, value) if name[:2] in ("X-", "x-") else structured_header(name, value)


def check_headers(headers: Mapping[str, str]) -> list[Fault]:
    """Every fault of a caller's headers. No header may come twice in two spellings."""
    faults = [fault for name, value in headers.items() for fault in check_header(name, value)]
    seen: set[str] = set()
    for name in headers:
        if name.lower() in seen:
            faults.append(Fault(f"headers.{name}", "duplicate", f"The header {name} is given twice."))
        seen.add(name.lower())
    return faults


def check_header(name: str, value: str) -> list[Fault]:
    """What is wrong with one header of a caller, each fault with the field ``headers.NAME``.

    Allowed are X-*, References, In-Reply-To and List-*. X-* is text: any characters but controls, and what looks like
    an encoded word arrives as just that. The others are syntax and ASCII. Codes: ``reserved`` (a header that notifier
    or a relay writes), ``unknown``, ``length``, ``syntax``.
    """
    found = _fault_of_name(name) or _fault_of_value(name, value)
    return [Fault(f"headers.{name}", *found)] if found else []


@lru_cache(maxsize=1024)
def _fault_of_name(name: str) -> tuple[str, str] | None:
    lower = name.lower()
    if not _TOKEN.fullmatch(name):
        return "syntax", "A header's name is made of letters, digits and hyphens."
    if lower in _OURS or lower.startswith(("resent-", "content-", "arc-")):
        return "reserved", f"{name} is written by notifier or by the relay; it cannot be given as a header."
    if lower not in _OF_MESSAGE_IDS and (not lower.startswith(("x-", "list-")) or lower.endswith("-")):
        return "unknown", f"{name} is not allowed: only X-*, List-*, References and In-Reply-To are."
    if len(name) > LONGEST_NAME:
        return "length", f"A header's name has at most {LONGEST_NAME} characters."
    return None


def _fault_of_value(name: str, value: str) -> tuple[str, str] | None:
    lower = name.lower()
    if complaint := objection(value):
        return "syntax", f"The value of {name} {complaint}."
    if len(value) > LONGEST_VALUE:
        return "length", f"The value of {name} is longer than {LONGEST_VALUE} characters."
    if not value.strip():
        return "syntax", f"The value of {name} is empty."
    if lower.startswith("x-"):
        return None
    if not value.isascii():
        return "syntax", f"The value of {name} is not ASCII: percent-encode what a URL has of other characters."
    if max(map(len, value.split(" "))) > LONGEST_WORD:
        return "length", f"The value of {name} has more than {LONGEST_WORD} characters without a space."
    if lower in _OF_MESSAGE_IDS and not _MESSAGE_IDS.fullmatch(value.strip(" ")):
        return "syntax", f"{name} takes message ids in angle brackets, with spaces between them."
    if lower in _OF_URLS and "<" not in value:
        return "syntax", f"{name} takes URLs in angle brackets (RFC 2369)."
    if _SPACE_IN_BRACKETS.search(value):
        return "syntax", f"{name} has a space inside angle brackets."
    return None
