"""One message as the server received it: the envelope and the raw bytes, read lazily by the stdlib's parser."""

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

from notifier.capture import extraction
from notifier.capture.extraction import Link

Pattern = str | re.Pattern[str]
T = TypeVar("T")

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not the mail's text. `inline` says that the HTML may show it (RFC 2392, RFC 2183)."""

    filename: str
    content_type: str
    content: bytes
    content_id: str | None
    inline: bool


@dataclass(frozen=True)
class Captured:
    """One received message.

    `mail_from` and `rcpt_tos` are the envelope (``""`` is the null sender, RFC 5321 4.5.5), `raw` is what came between
    DATA and the final dot, dot-stuffing undone and nothing added. Everything else is parsed from `raw` when asked for;
    but for `parsed`, reading never raises, whatever the sender wrote, and gives text that can be encoded.
    """

    id: str
    received_at: datetime
    mail_from: str
    rcpt_tos: tuple[str, ...]
    raw: bytes = field(repr=False)

    @cached_property
    def parsed(self) -> EmailMessage:
        """The message as the stdlib reads it, which raises all kinds of errors over malformed headers."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @cached_property
    def structure(self) -> Message:
        """The parts, their headers as they were written. One part, where the nesting cannot be read."""
        return _reading(
            lambda: email.message_from_bytes(self.raw, policy=email.policy.compat32),
            lambda: BytesHeaderParser(policy=email.policy.compat32).parsebytes(self.raw),
        )

    @cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Every header in order, decoded and unfolded."""
        return tuple((_clean(name), _decoded(name, value)) for name, value in self.structure.raw_items())

    def header(self, name: str) -> str | None:
        """The first header of this name, decoded, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def subject(self) -> str:
        return self.header("Subject") or ""

    @property
    def message_id(self) -> str | None:
        return self.header("Message-ID")

    @property
    def from_(self) -> str:
        """The From header's first address, without its name."""
        return next(iter(self._addresses("From")), "")

    @property
    def to(self) -> tuple[str, ...]:
        """The addresses named in the To header. Who really got it is `rcpt_tos`."""
        return self._addresses("To")

    @property
    def cc(self) -> tuple[str, ...]:
        return self._addresses("Cc")

    def _addresses(self, name: str) -> tuple[str, ...]:
        # Split before decoding: a decoded display name may hold a comma.
        values = [_unfolded(value) for key, value in self.structure.raw_items() if key.lower() == name.lower()]
        return tuple(_clean(address) for _, address in getaddresses(values) if address)

    @cached_property
    def text(self) -> str | None:
        """The first text/plain part that is no attachment."""
        part = self._body("text/plain")
        return None if part is None else _text_of(part)

    @cached_property
    def html(self) -> str | None:
        """The first text/html part that is no attachment."""
        part = self._body("text/html")
        return None if part is None else _text_of(part)

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        """Every part but the text and the HTML, inline images included."""
        bodies = [part for part in (self._body("text/plain"), self._body("text/html")) if part is not None]
        return tuple(
            _attachment(part, number)
            for number, part in enumerate(_leaves(self.structure), 1)
            if not any(part is body for body in bodies)
        )

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every link of the HTML and the text, in order."""
        return extraction.links(self.text, self.html)

    def link(self, match: Pattern = "") -> str:
        """The URL of the first link whose text or URL has `match` in it (no matter the case), or matches the compiled
        pattern. LookupError names the links there are."""
        for link in self.links:
            if any(_matches(match, value) for value in link):
                return link.url
        there = "; ".join(f"{link.text or '(no text)'} -> {link.url}" for link in self.links)
        raise LookupError(f"no link matches {match!r} in {self.subject!r}: {there or 'it has no links'}")

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """What may be a one-time code, the likeliest first."""
        text = self.text if self.text is not None else extraction.seen_text(self.html or "")
        return extraction.codes(text, self.subject)

    def code(self) -> str:
        """The one-time code: 4 to 8 digits, or capitals with digits. LookupError if there is none."""
        if not self.codes:
            raise LookupError(f"no one-time code in {self.subject!r}: {(self.text or '')[:200]!r}")
        return self.codes[0]

    def save(self, path: str | Path) -> Path:
        """Writes the raw message to `path` (in a directory: to ``<id>.eml``) and says where."""
        target = Path(path)
        if target.is_dir():
            target = target / f"{self.id}.eml"
        target.write_bytes(self.raw)
        return target

    def _body(self, content_type: str) -> Message | None:
        for part in _leaves(self.structure):
            if content_type_of(part) == content_type and _disposition(part) != "attachment":
                return part
        return None


def _matches(pattern: Pattern, value: str) -> bool:
    if isinstance(pattern, re.Pattern):
        return pattern.search(value) is not None
    return pattern.casefold() in value.casefold()


def _reading(read: Callable[[], T], otherwise: Callable[[], T]) -> T:
    """What was read, or something else where the stdlib's parser gives up over what a sender wrote."""
    try:
        return read()
    except Exception:  # noqa: BLE001 -- ValueError, UnicodeError, IndexError, AttributeError and more were seen
        return otherwise()


def _clean(text: str) -> str:
    """Without lone surrogates, which some charsets decode to and none can encode."""
    return _SURROGATES.sub("\ufffd", text)


def content_type_of(part: Message) -> str:
    return _clean(_reading(part.get_content_type, lambda: "application/octet-stream"))


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold something. An attached message is one part, whatever is in it."""
    if message.is_multipart() and content_type_of(message).startswith("multipart/"):
        for part in cast(list[Message], message.get_payload()):
            yield from _leaves(part)
    else:
        yield message


def _unfolded(value: Any) -> str:
    # Raw eight-bit bytes arrive as surrogates (or as a Header for unknown-8bit): UTF-8 is the only sane reading.
    plain = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return re.sub(r"\r?\n[ \t]*", " ", plain).strip()


def _decoded(name: str, value: Any) -> str:
    """A header's value as a person reads it."""
    plain = _unfolded(value)
    return _clean(_reading(lambda: str(email.policy.default.header_factory(name, plain)), lambda: plain))


def _disposition(part: Message) -> str:
    return _unfolded(part.get("Content-Disposition", "")).partition(";")[0].strip().lower()


def _payload(part: Message) -> bytes:
    if part.is_multipart():
        inner = cast(list[Message], part.get_payload())
        return _reading(lambda: b"\n".join(each.as_bytes() for each in inner), lambda: b"")
    content = _reading(lambda: part.get_payload(decode=True), lambda: b"")
    return content if isinstance(content, bytes) else b""


def _text_of(part: Message) -> str:
    content = _payload(part)
    charset = _reading(part.get_content_charset, lambda: None) or "utf-8"
    # A charset that Python does not know, or that is none: UTF-8 is as good a guess as any.
    text = _reading(lambda: content.decode(charset, "replace"), lambda: content.decode("utf-8", "replace"))
    return _clean(text.replace("\r\n", "\n"))


def _attachment(part: Message, number: int) -> Attachment:
    content_id = _clean(_unfolded(part.get("Content-ID", "")).strip("<> ")) or None
    return Attachment(
        filename=_clean(_reading(part.get_filename, lambda: None) or "") or f"part-{number}",
        content_type=content_type_of(part),
        content=_payload(part),
        content_id=content_id,
        inline=_disposition(part) != "attachment" and content_id is not None,
    )
