"""What comes back by mail: delivery status notifications (RFC 3464), abuse reports (RFC 5965), and bounces in prose.

`read_report` is pure, takes whatever arrives, and answers with nothing for what is none of these: an out-of-office
reply (RFC 3834) says nothing about the mail that it answers.
"""

import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parseaddr
from typing import Final

from notifier.domain.feedback import Feedback, Said, is_hard
from notifier.mail.address import AddressError, comparison_key
from notifier.mail.prose import read_prose

LONGEST_TEXT: Final = 500
"""Characters of a diagnosis that are kept: it goes into timelines."""

_MOST_PARTS: Final = 50
_MOST_RECIPIENTS: Final = 100
_ENHANCED: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_VAGUE: Final = re.compile(r"[245]\.[05]\.0|5\.1\.0")
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")  # RFC 3461 4
_ACTIONS: Final[dict[str, Said]] = {"failed": "bounced", "delayed": "delayed", "delivered": "delivered"}
_COMPLAINTS: Final[dict[str, Said]] = {
    "abuse": "complained",
    "fraud": "complained",
    "virus": "complained",
    "other": "complained",
    "opt-out": "unsubscribed",
    "opt-out-list": "unsubscribed",
}


def read_report(raw: bytes) -> list[Feedback]:
    """Everything that a message says about mails of ours; nothing, for what is no report."""
    message = message_from_bytes(raw, policy=policy.compat32)
    parts = [part for part, _ in zip(message.walk(), range(_MOST_PARTS), strict=False)]
    for part in parts:
        match part.get_content_type():
            case "message/delivery-status" | "message/global-delivery-status":
                return list(_statuses(part))[:_MOST_RECIPIENTS]
            case "message/feedback-report":
                return list(_complaints(part, parts))
    if (recipient := _hotmail(message, parts)) is not None:
        return [Feedback("complained", "jmrp", address_keys=_keys([recipient]))]
    return read_prose(message, parts)


# ---------------------------------------------------------------------------------------- delivery status (RFC 3464)


def _statuses(part: Message) -> Iterator[Feedback]:
    for group in _groups(part):
        said = _ACTIONS.get(_field(group, "Action").partition(" ")[0].lower())
        candidates = [_typed(_field(group, name)) for name in ("Original-Recipient", "Final-Recipient")]
        if said is None or not any(candidates):
            continue
        diagnosis = " ".join(_field(group, "Diagnostic-Code").partition(";")[2].split())
        enhanced = _enhanced(_field(group, "Status"), diagnosis)
        yield Feedback(
            said,
            "dsn",
            address_keys=_keys(candidates),
            enhanced=enhanced,
            text=diagnosis[:LONGEST_TEXT] or (f"status {enhanced}" if enhanced else said),
            hard=said == "bounced" and is_hard(enhanced, diagnosis),
        )


def _groups(part: Message) -> list[Message]:
    """The groups of fields of a report's part. Where it came encoded (which RFC 3464 forbids, and which happens), or
    as plain text, it is read again."""
    payload = part.get_payload()
    if isinstance(payload, list):
        groups = [group for group in payload if isinstance(group, Message)]
        if any("Final-Recipient" in group or "Original-Recipient" in group for group in groups):
            return groups
    octets = part.get_payload(decode=True)
    if not isinstance(octets, bytes):
        octets = "\n\n".join(str(group) for group in payload).encode() if isinstance(payload, list) else b""
        octets = _decoded_inside(part, octets)
    blocks = re.split(rb"\r?\n[ \t]*\r?\n", octets)
    return [message_from_bytes(block.lstrip(), policy=policy.compat32) for block in blocks if block.strip()]


def _decoded_inside(part: Message, octets: bytes) -> bytes:
    again = message_from_bytes(
        b"Content-Transfer-Encoding: " + _field(part, "Content-Transfer-Encoding").encode("ascii", "replace")
        + b"\n\n" + octets
    )  # fmt: skip
    found = again.get_payload(decode=True)
    return found if isinstance(found, bytes) else octets


def _typed(value: str) -> str:
    """The address of ``rfc822; zoe@example.com`` (RFC 3464 2.3.1)."""
    kind, separator, address = value.partition(";")
    if not separator:
        kind, address = "rfc822", value
    address = address.strip().strip("<>")
    return _XTEXT.sub(lambda found: chr(int(found[1], 16)), address) if kind.strip().lower() == "rfc822" else address


def _enhanced(status: str, diagnosis: str) -> str | None:
    """The more telling of the two: many servers put 5.0.0 beside a reply that says 5.1.1."""
    own = _ENHANCED.search(status)
    if own and not _VAGUE.fullmatch(own[0]):
        return own[0]
    told = _ENHANCED.search(diagnosis)
    if told and (own is None or told[1] == own[1]):
        return told[0]
    return own[0] if own else None


# -------------------------------------------------------------------------------------------- complaints (RFC 5965)


def _complaints(part: Message, parts: Iterable[Message]) -> Iterator[Feedback]:
    groups = _groups_of_report(part)
    kinds = [_field(group, "Feedback-Type") for group in groups]
    said = _COMPLAINTS.get(next((kind.strip().lower() for kind in kinds if kind), ""))
    if said is None:
        return
    recipients = [
        _typed(str(value)) for group in groups for value in group.get_all("Original-Rcpt-To", [])
    ]  # fmt: skip
    agent = next((_field(group, "User-Agent") for group in groups if _field(group, "User-Agent")), "")
    for recipient in recipients[:_MOST_RECIPIENTS] or [_reader(parts)]:
        yield Feedback(said, "arf", address_keys=_keys([recipient]), text=f"reported by {agent}" if agent else "")


def _groups_of_report(part: Message) -> list[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        groups = [group for group in payload if isinstance(group, Message)]
        if any("Feedback-Type" in group for group in groups):
            return groups
    return _groups(part)


def _reader(parts: Iterable[Message]) -> str:
    """Whom the mail that is complained about was written to."""
    for part in parts:
        for original in _enclosed(part):
            if found := parseaddr(_field(original, "X-HmXmrOriginalRecipient") or _field(original, "To"))[1]:
                return found
    return ""


def _enclosed(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if part.get_content_type() == "message/rfc822" and isinstance(payload, list):
        yield from (one for one in payload if isinstance(one, Message))
    elif part.get_content_type() == "text/rfc822-headers":
        octets = part.get_payload(decode=True)
        yield message_from_bytes(octets if isinstance(octets, bytes) else b"")


def _hotmail(message: Message, parts: Iterable[Message]) -> str | None:
    """Microsoft's junk mail reports are no ARF: the mail is attached, with its reader in a header of theirs."""
    if not parseaddr(_field(message, "From"))[1].lower().endswith(("@hotmail.com", "@outlook.com", "@microsoft.com")):
        return None
    for part in parts:
        for original in _enclosed(part):
            if reader := _field(original, "X-HmXmrOriginalRecipient"):
                return parseaddr(reader)[1]
    return None


# -------------------------------------------------------------------------------------------------------- both


def _field(message: Message, name: str) -> str:
    value = message.get(name, "")
    try:
        return str(make_header(decode_header(str(value)))).strip()
    except (ValueError, LookupError, MessageError):  # an encoded word that is none
        return str(value).strip()


def _keys(addresses: Iterable[str]) -> tuple[str, ...]:
    """The addresses as they are compared; what is none is left out."""
    keys: dict[str, None] = {}
    for _, address in getaddresses([text for text in addresses if text]):
        try:
            keys[comparison_key(address)] = None
        except AddressError:
            continue
    return tuple(keys)
