"""Bounces that a server wrote for people alone: qmail, older Exim, and whoever else knows no RFC 3464."""

import re
from collections.abc import Iterable
from email.message import Message
from email.utils import getaddresses, parseaddr
from typing import Final

from notifier.domain.feedback import Feedback, is_hard
from notifier.mail.address import AddressError, comparison_key

_SENDERS: Final = re.compile(r"mailer-daemon|postmaster|mail.?daemon|mdaemon|mail-delivery|microsoftexchange", re.I)
_SUBJECTS: Final = re.compile(
    r"undeliver|delivery (?:failed|failure|problem|report|has failed)|failure notice|returned mail|mail delivery"
    r"|could ?n[o']t be delivered|message not delivered|nondeliver|unzustellbar|non remis",
    re.IGNORECASE,
)
_WAITING: Final = re.compile(r"warning|delayed|still (?:trying|being)|will (?:be retried|keep trying)|not yet", re.I)
_ORIGINAL: Final = re.compile(
    r"^-{2,} ?(?:below this line|original message|this is a copy|the following|unsent message|returned message).*",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_FAILED: Final = re.compile(
    r"^[ \t>*]*(?:to:\s*)?<?([^\s<>@:;,()\[\]]{1,64}@[A-Za-z0-9.-]{1,253}[A-Za-z0-9])>?[:.]?[ \t]*(?:\(.*\))?$", re.M
)
_ENHANCED: Final = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
_CODE: Final = re.compile(r"(?<![\d.-])([45])\d\d(?=[ -])")
_LONGEST: Final = 20_000
_LONGEST_TEXT: Final = 500


def read_prose(message: Message, parts: Iterable[Message]) -> list[Feedback]:
    """What a bounce in prose says. Nothing, unless a mail system wrote it: people answer mail, too."""
    sender = parseaddr(str(message.get("From", "")))[1]
    failed = str(message.get("X-Failed-Recipients", ""))
    if not failed and not (_SENDERS.search(sender) and _SUBJECTS.search(str(message.get("Subject", "")))):
        return []
    text = _ORIGINAL.sub("", _text(parts))
    subject = str(message.get("Subject", ""))
    recipients = [address for _, address in getaddresses([failed]) if address] or _FAILED.findall(text)
    enhanced = _ENHANCED.search(text)
    code = _CODE.search(text)
    delayed = bool(_WAITING.search(subject)) or (enhanced or code or " ")[0].startswith("4")
    reason = _reason(text)
    return [
        Feedback(
            "delayed" if delayed else "bounced",
            "prose",
            address_keys=_keys(recipient),
            enhanced=enhanced[0] if enhanced else None,
            text=reason,
            hard=not delayed and is_hard(enhanced[0] if enhanced else None, text),
        )
        for recipient in list(dict.fromkeys(recipients))[:20]
    ]


def _text(parts: Iterable[Message]) -> str:
    for part in parts:
        if part.get_content_type() == "text/plain":
            octets = part.get_payload(decode=True)
            text = octets.decode("utf-8", "replace") if isinstance(octets, bytes) else ""
            return text[:_LONGEST].replace("\r\n", "\n")
    return ""


def _reason(text: str) -> str:
    """The line that has the server's code, and what follows it; else the first lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    at = next((n for n, line in enumerate(lines) if _ENHANCED.search(line) or _CODE.search(line)), 0)
    return " ".join(lines[at : at + 3])[:_LONGEST_TEXT]


def _keys(address: str) -> tuple[str, ...]:
    try:
        return (comparison_key(address),)
    except AddressError:
        return ()
