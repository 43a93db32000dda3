"""What a relay's replies mean (RFC 5321 4.2 and 4.5.3, RFC 3463, RFC 4954). Pure."""

import re

from notifier.domain.lifecycle import Accepted, Deferred, Rejected, RelayTrouble, Reply, Stage, TroubleKind
from notifier.mail.relay.wire import RawReply, printable

LONGEST_TEXT = 500  # characters of a reply that are kept: it goes into timelines and logs
LONGEST_WAIT = 86400.0  # seconds: a server may not put a mail off for longer than a day by its text

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?= |$)")
_AGAIN = re.compile(
    r"\b(?:again|retry|try|wait|delay(?:ed)?|greylist(?:ed|ing)?|for|after)\b[^.;]{0,40}?"
    r"\b(\d{1,6})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"\b(?:again|retry|wait|for|after)\b[^.;]{0,40}?\b(\d{1,3}):([0-5]\d)(?::([0-5]\d))?\b", re.IGNORECASE
)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_TOO_MANY = re.compile(r"too many (?:recipients|rcpt)", re.IGNORECASE)

CLOSING = 421
"""The relay ends this connection, whatever was asked (RFC 5321 3.8)."""


def read(raw: RawReply) -> Reply:
    """A reply with its enhanced code (RFC 3463) set apart, its text safe to show."""
    code, octets = raw
    text = printable(octets)
    enhanced = None
    if found := _ENHANCED.match(text):
        enhanced = found[0]
        # In a multiline reply each line repeats the enhanced code (RFC 2034 4).
        text = text[found.end() :].replace(f" {enhanced} ", " ").strip()
    return Reply(code, enhanced, text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…")


def positive(raw: RawReply) -> bool:
    """2xx."""
    return 200 <= raw[0] < 300


def wait_asked(text: str) -> float | None:
    """The seconds after which the server's text says to try again, if it names any."""
    if found := _AGAIN.search(text):
        seconds = float(found[1]) * _SECONDS[found[2][0].lower()]
    elif found := _CLOCK.search(text):
        parts = [float(part) for part in found.groups() if part is not None]
        seconds = sum(part * unit for part, unit in zip(reversed(parts), (1.0, 60.0, 3600.0), strict=False))
    else:
        return None
    return min(seconds, LONGEST_WAIT) if seconds > 0 else None


def outcome(raw: RawReply, stage: Stage) -> Accepted | Deferred | Rejected:
    """What a reply to a command of a transaction makes of those whom it concerns. A reply that has no place there
    (3xx, or 503: commands out of order) is nothing to hold against the message: it is deferred."""
    reply = read(raw)
    if positive(raw) and stage is Stage.DOT:
        return Accepted(reply)
    if reply.code >= 500 and reply.code != 503:
        return Rejected(stage, str(reply), reply)
    if 400 <= reply.code < 500:
        return Deferred(stage, str(reply), reply, wait_asked(reply.text))
    return Deferred(stage, f"unexpected answer to {stage.upper()}: {reply}", reply)


def recipient_outcome(raw: RawReply, others_accepted: bool) -> Deferred | Rejected | Accepted:
    """A reply other than 2xx to RCPT. 452 "too many recipients" after some were accepted only asks to split the
    message (RFC 5321 4.5.3.1.10, where 552 has to be read as 452)."""
    reply = read(raw)
    if reply.code in (452, 552) and (reply.enhanced in ("4.5.3", "5.5.3") or _TOO_MANY.search(reply.text)):
        return Deferred(Stage.RCPT, str(reply), reply, split=others_accepted)
    return outcome(raw, Stage.RCPT)


def needs_session(raw: RawReply) -> RelayTrouble | None:
    """530 in a transaction: the relay wants AUTH or STARTTLS first (RFC 4954 6, RFC 3207 4). That is nobody's
    message: a setting is missing, and it would be the same for every mail in the queue."""
    if raw[0] != 530:
        return None
    reply = read(raw)
    hint = "the relay wants MAIL_USERNAME and MAIL_PASSWORD (USE_CREDENTIALS) or TLS (MAIL_STARTTLS)"
    return RelayTrouble("auth", Stage.MAIL, f"{reply}: {hint}", reply, configuration=True)


def trouble(stage: Stage, code: int, octets: bytes) -> RelayTrouble:
    """A refusal before any message: connection, EHLO, STARTTLS, AUTH."""
    reply = read((code, octets))
    kind: TroubleKind = "throttled" if 400 <= code < 500 else "refused"
    hint = {Stage.CONNECT: "the relay refuses connections", Stage.EHLO: "the relay refuses EHLO"}.get(stage)
    configuration = False
    if code == CLOSING:
        hint = "the relay closes the connection; it may be shutting down or limit connections"
    elif stage is Stage.STARTTLS:
        kind, configuration, hint = "tls", code >= 500, "the relay offers STARTTLS and refuses it"
    elif stage is Stage.AUTH:
        kind, configuration = "auth", code >= 500
        if configuration:
            hint = "the relay does not accept MAIL_USERNAME/MAIL_PASSWORD"
        else:
            hint = "the relay cannot check MAIL_USERNAME/MAIL_PASSWORD now"
    return RelayTrouble(kind, stage, f"{reply}: {hint}" if hint else str(reply), reply, configuration)
