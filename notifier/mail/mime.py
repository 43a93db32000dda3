"""The message as it goes over the wire (RFC 5322, RFC 2045-2047, RFC 2387). Pure: no clock, no dice, no input.

The same `Message` gives the same bytes. Every line is at most 76 columns unless one word of a header is longer, ends in
CRLF and does not start with a dot, so that SMTP needs neither dot-stuffing nor BODY=8BITMIME.
"""

import re
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from hashlib import blake2b
from struct import unpack_from

from notifier.domain.errors import NotifierError
from notifier.domain.notification import Address, Attachment
from notifier.mail.address import AddressError, envelope_address, needs_smtputf8
from notifier.mail.headers import (
    address_header,
    caller_header,
    check_header,
    check_headers,
    file_name_parameter,
    structured_header,
    text_header,
)
from notifier.mail.words import objection

__all__ = [
    "Message",
    "MimeError",
    "build",
    "check_header",
    "check_headers",
    "check_part",
    "envelope_address",
    "needs_smtputf8",
]

LONGEST_FILE_NAME = 255
_LINE = 76
"""Columns of base64 (RFC 2045 6.8)."""

_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,200}@[!-;=?A-~]{1,255}>")
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}")
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~{}-]+"  # noqa: S105 (the token of RFC 2045 5.1)
_CONTENT_TYPE = re.compile(
    rf'(?P<type>{_TOKEN})/{_TOKEN}(?: *; *{_TOKEN}=(?:{_TOKEN}|"[ !#-\[\]-~]*"))*'  # no escapes within quotes
)
_LINE_END = re.compile("\r\n|\r|\n")


class MimeError(NotifierError):
    """A message that cannot be built. `field` is the field of `Message`, `reason` a sentence about it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Message:
    """What a mail is made of. Who else gets it in secret (bcc) is the envelope's affair and not in here.

    `message_id` is a msg-id with its angle brackets (RFC 5322 3.6.4), `date` has an offset, `headers` are the caller's
    (`check_header`), the `content_id` of a part is what follows ``cid:`` in a URL, without brackets (RFC 2392).
    `inline` parts go with the HTML, or with the attachments where there is none.
    """

    sender: Address
    to: tuple[Address, ...]
    subject: str
    message_id: str
    date: datetime
    text: str | None = None
    html: str | None = None
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    inline: tuple[Attachment, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def build(message: Message, *, smtputf8: bool = False) -> bytes:
    """The message, CRLF at the end of every line.

    With `smtputf8` (the relay offers it, RFC 6531) local parts that are not ASCII are written in UTF-8; without, the
    result is ASCII. Raises `MimeError`.
    """
    head = "\r\n".join([*_envelope_headers(message, smtputf8), *_own_headers(message)])
    return b"%b\r\n%b" % (head.encode(), _body(message))


def _envelope_headers(message: Message, smtputf8: bool) -> list[str]:
    """Who writes to whom."""
    if needs_smtputf8(message.sender.email) and not smtputf8:
        raise MimeError("sender", "The relay does not offer SMTPUTF8, which this sender's address needs.")
    field = "sender"
    try:
        lines = [_from_header(message.sender, smtputf8)]
        for field, name, addresses in (
            ("to", "To", message.to),
            ("cc", "Cc", message.cc),
            ("reply_to", "Reply-To", message.reply_to),
        ):
            if addresses:
                lines.append(address_header(name, addresses, smtputf8=smtputf8))
            elif field == "to":
                lines.append("To: undisclosed-recipients:;")
    except AddressError as error:
        raise MimeError(field, error.reason) from error
    return lines


@lru_cache(maxsize=256)
def _from_header(sender: Address, smtputf8: bool) -> str:
    return address_header("From", [sender], smtputf8=smtputf8)


def _own_headers(message: Message) -> list[str]:
    """What the message says of itself, and what the caller says of it."""
    if complaint := objection(message.subject):
        raise MimeError("subject", f"The subject {complaint}.")
    if not _MESSAGE_ID.fullmatch(message.message_id):
        raise MimeError("message_id", "It is not a message id in angle brackets.")
    if message.date.tzinfo is None:
        raise MimeError("date", "It has no offset.")
    for fault in check_headers(message.headers) if message.headers else ():
        raise MimeError(fault.field, fault.message)
    return [
        text_header("Subject", message.subject),
        f"Date: {_date(message.date.replace(microsecond=0), message.date.utcoffset())}",
        f"Message-ID: {message.message_id}",
        "MIME-Version: 1.0",
        "Auto-Submitted: auto-generated",
        *(caller_header(name, value) for name, value in message.headers.items()),
    ]


@lru_cache(maxsize=256)
def _date(second: datetime, _offset: timedelta | None) -> str:
    """RFC 5322 3.3. Mails of one second are many where it matters; equal instants may have other offsets."""
    return format_datetime(second)


def _body(message: Message) -> bytes:
    """The tree of parts: mixed(alternative(text, related(html, inline...)), attachments...), each level only where
    there is more than one part for it."""
    boundary = _boundary(message.message_id)
    bodies, files = [], [*message.attachments]
    if message.text is not None:
        bodies.append(_text_part("text", message.text, "plain"))
    if message.html is not None:
        html = _text_part("html", message.html, "html")
        inline = [_file_part("inline", part, "inline") for part in message.inline]
        bodies.append(_multipart('related; type="text/html"', f"{boundary}r", [html, *inline]))
    else:
        files = [*message.inline, *files]
    if not bodies:
        raise MimeError("text", "There is neither a text nor an HTML body.")
    body = _multipart("alternative", f"{boundary}a", bodies)
    return _multipart(
        "mixed", f"{boundary}m", [body, *(_file_part("attachments", part, "attachment") for part in files)]
    )


def _boundary(message_id: str) -> str:
    """``=_`` never comes in base64 (RFC 2045 6.7), which all that stands between boundaries is."""
    return "=_" + blake2b(message_id.encode(), digest_size=12).hexdigest()


def _multipart(kind: str, boundary: str, parts: list[bytes]) -> bytes:
    if len(parts) == 1:
        return parts[0]
    line = b"--" + boundary.encode()
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(b"%b\r\n%b" % (line, part) for part in parts) + line + b"--\r\n"


def _text_part(field: str, text: str, subtype: str) -> bytes:
    """A body with the line ends of the wire under its base64 (RFC 2046 4.1.1)."""
    if "\r" in text:
        text = _LINE_END.sub("\n", text)
    try:
        octets = text.replace("\n", "\r\n").encode()
    except UnicodeEncodeError as error:
        raise MimeError(field, "The body contains half of a surrogate pair.") from error
    return (
        f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
        + _base64(octets)
    )


def _file_part(field: str, part: Attachment, disposition: str) -> bytes:
    if complaint := check_part(part):
        raise MimeError(f"{field}.{complaint[0]}", complaint[1])
    head = structured_header("Content-Type", part.content_type)
    head += f"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: {disposition}"
    if filename := part.filename.strip():
        head += file_name_parameter(filename)
    if part.content_id is not None:
        head += f"\r\nContent-ID: <{part.content_id}>"
    elif disposition == "inline":
        raise MimeError(field, "An inline part needs a content id.")
    return head.encode() + b"\r\n\r\n" + _base64(part.content)


def check_part(part: Attachment) -> tuple[str, str] | None:
    """Why `part` cannot be attached: which field of it is at fault, and a sentence. None if it can."""
    if complaint := objection(part.filename):
        return "filename", f"The file name {complaint}."
    if len(part.filename) > LONGEST_FILE_NAME:
        return "filename", f"The file name is longer than {LONGEST_FILE_NAME} characters."
    content_type = _CONTENT_TYPE.fullmatch(part.content_type)
    if not content_type or len(part.content_type) > LONGEST_FILE_NAME or "=?" in part.content_type:
        return "content_type", "The content type is not of the form type/subtype, with parameters after semicolons."
    if content_type["type"].lower() in ("message", "multipart"):
        return (
            "content_type",
            "A message or multipart cannot be attached in base64 (RFC 2046 5.2.1): use application/octet-stream.",
        )
    if part.content_id is not None and not _CONTENT_ID.fullmatch(part.content_id):
        return "content_id", "The content id is not made of ASCII characters without spaces and angle brackets."
    return None


def _base64(octets: bytes) -> bytes:
    """Lines of `_LINE` columns, each with its end."""
    encoded = b2a_base64(octets, newline=False)
    whole, rest = divmod(len(encoded), _LINE)
    lines = unpack_from(f"{_LINE}s" * whole, encoded)  # half the price of slicing
    return b"\r\n".join((*lines, encoded[-rest:], b"") if rest else (*lines, b""))
