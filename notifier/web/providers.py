"""What relays for hire post of the mail that they took: Amazon SES, Mailgun, Postmark."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from notifier.domain.errors import Fault, Refused, Unauthenticated, refused
from notifier.domain.feedback import Feedback, Said, is_hard
from notifier.mail.address import AddressError, comparison_key
from notifier.web.body import parse
from notifier.web.sns import SnsVerifier


@dataclass(frozen=True, slots=True)
class Providers:
    """By what each provider proves itself; None where it is not set up."""

    ses: SnsVerifier | None = None
    mailgun_key: str | None = None
    postmark_password: str | None = None


_ID: Final = re.compile(r"<?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:@.*)?", re.IGNORECASE | re.DOTALL)
_FRESH: Final = 86400.0
"""Seconds for which a Mailgun signature, which covers no body, is good. Mailgun tries again for eight hours."""
_LONGEST_TEXT: Final = 500


def ses(message: Mapping[str, str]) -> list[Feedback]:
    """The SES event in an SNS notification (notifications and event publishing). Raises Refused."""
    try:
        event = parse(message.get("Message", "").encode())
    except Refused as error:
        if error.code == "invalid_json":
            return []  # SNS's own greetings are prose
        raise
    return _read(_ses, event)


def _ses(event: dict[str, Any]) -> Iterator[Feedback]:
    mail = event.get("mail") or {}
    headers = {str(one["name"]).lower(): str(one["value"]) for one in mail.get("headers") or ()}
    common: dict[str, Any] = {
        "notification": _id(headers.get("x-notifier-id")),
        "relay_id": _line(mail.get("messageId")),
        "trusted": True,
    }
    match event.get("eventType") or event.get("notificationType"):
        case "Bounce":
            bounce = event["bounce"]
            for one in bounce["bouncedRecipients"]:
                # An absence notice comes as a transient bounce of which no server said that it failed.
                final = bounce["bounceType"] == "Permanent" or one.get("action") == "failed"
                status = _line(one.get("status")) or None
                text = _line(one.get("diagnosticCode") or bounce.get("bounceSubType"))
                hard = bounce["bounceType"] == "Permanent" and bounce.get("bounceSubType") != "AttachmentRejected"
                said: Said = "bounced" if final else "delayed"
                yield Feedback(said, "ses", **common, **_of(one["emailAddress"]), enhanced=status, text=text, hard=hard)
        case "Complaint" if event["complaint"].get("complaintFeedbackType") != "not-spam":
            kind = _line(event["complaint"].get("complaintFeedbackType"))
            for one in event["complaint"]["complainedRecipients"]:
                yield Feedback("complained", "ses", **common, **_of(one["emailAddress"]), text=kind)
        case "Delivery":
            for address in event["delivery"]["recipients"]:
                text = _line(event["delivery"].get("smtpResponse"))
                yield Feedback("delivered", "ses", **common, **_of(address), text=text)


def check_mailgun(body: Any, key: str, now: float) -> None:
    """Raises Unauthenticated unless Mailgun signed it with our key, of late."""
    given = body.get("signature") if isinstance(body, dict) else None
    given = given if isinstance(given, dict) else {}
    timestamp, token = str(given.get("timestamp", "")), str(given.get("token", ""))
    expected = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    same = hmac.compare_digest(expected.encode(), str(given.get("signature", "")).encode())
    if not same or not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp)) > _FRESH:
        raise Unauthenticated("the signature of this body is not good, or too old")


def mailgun(body: Any) -> list[Feedback]:
    """A webhook's `event-data`. Raises Refused."""
    return _read(_mailgun, body.get("event-data"))


def _mailgun(event: dict[str, Any]) -> Iterator[Feedback]:
    status = event.get("delivery-status") or {}
    text = _line(status.get("message") or status.get("description") or event.get("reason"))
    headers = (event.get("message") or {}).get("headers") or {}
    common: dict[str, Any] = {
        "notification": _id(headers.get("message-id")),
        "trusted": True,
        **_of(event.get("recipient")),
    }
    enhanced = str(status.get("enhanced-code") or "") or None
    match event.get("event"):
        case "delivered":
            yield Feedback("delivered", "mailgun", **common, text=text)
        case "failed" if event.get("severity") == "permanent":
            hard = is_hard(enhanced, text) or event.get("reason") == "suppress-bounce"
            yield Feedback("bounced", "mailgun", **common, enhanced=enhanced, text=text, hard=hard)
        case "failed":
            yield Feedback("delayed", "mailgun", **common, enhanced=enhanced, text=text)
        case "complained":
            yield Feedback("complained", "mailgun", **common)
        case "unsubscribed":
            yield Feedback("unsubscribed", "mailgun", **common)


def check_postmark(authorization: str | None, password: str) -> None:
    """Raises Unauthenticated unless the webhook's URL has our password (HTTP basic authentication, any user)."""
    scheme, _, given = (authorization or "").partition(" ")
    try:
        found = base64.b64decode(given, validate=True).partition(b":")[2] if scheme.lower() == "basic" else b""
    except ValueError:  # no base64, or not even ASCII
        found = b""
    if not hmac.compare_digest(found, password.encode()):
        raise Unauthenticated("put the password into the webhook's URL: https://postmark:PASSWORD@host/...")


_POSTMARK: Final[Mapping[str, tuple[Said, bool]]] = {
    "HardBounce": ("bounced", True),
    "BadEmailAddress": ("bounced", True),
    "SoftBounce": ("bounced", False),
    "Blocked": ("bounced", False),
    "DnsError": ("bounced", False),
    "SMTPApiError": ("bounced", False),
    "SpamNotification": ("bounced", False),
    "DMARCPolicy": ("bounced", False),
    "Transient": ("delayed", False),
    "SpamComplaint": ("complained", False),
    "Unsubscribe": ("unsubscribed", False),
}


def postmark(body: Any) -> list[Feedback]:
    """A webhook's body. Raises Refused."""
    return _read(_postmark, body)


def _postmark(event: dict[str, Any]) -> Iterator[Feedback]:
    address = event.get("Email") or event.get("Recipient")
    metadata = event.get("Metadata") or {}
    common: dict[str, Any] = {
        "notification": _id(metadata.get("notifier-id")),
        "relay_id": _line(event.get("MessageID")),
        "trusted": True,
        **_of(address),
    }
    text = _line(event.get("Details") or event.get("Description"))
    match event["RecordType"]:
        case "Delivery":
            yield Feedback("delivered", "postmark", **common, text=text)
        case "Bounce" | "SpamComplaint" if kind := _POSTMARK.get(event.get("Type") or event["RecordType"]):
            yield Feedback(kind[0], "postmark", **common, text=text, hard=kind[1])
        case "SubscriptionChange" if event.get("SuppressSending") and event.get("Origin") == "Recipient":
            yield Feedback("unsubscribed", "postmark", **common)


# ------------------------------------------------------------------------------------------------------------ reading


def _read(reader: Callable[[dict[str, Any]], Iterator[Feedback]], event: Any) -> list[Feedback]:
    """Everything of an event, or Refused where it has not the shape that its provider documents."""
    try:
        return list(reader(event))
    except (KeyError, TypeError, AttributeError) as error:
        raise refused([Fault("", "syntax", f"this is not an event of that provider: {error}")]) from None


def _id(text: Any) -> str | None:
    found = _ID.fullmatch(text.strip()) if isinstance(text, str) else None
    return found[1].lower() if found else None


def _of(address: Any) -> dict[str, Any]:
    try:
        return {"address_keys": (comparison_key(cast(str, address)),)}
    except (AddressError, TypeError, AttributeError):
        return {"address_keys": ()}


def _line(text: Any) -> str:
    return " ".join(str(text or "").split())[:_LONGEST_TEXT]
