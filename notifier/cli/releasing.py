"""The relay that captured mail may be let go to: that of this machine's settings."""

import random
import re
from collections.abc import Sequence
from typing import Literal

from notifier.app.relay import relay_settings
from notifier.capture.answers import Released
from notifier.capture.message import Captured
from notifier.capture.release import NoRelease
from notifier.domain.delivery import Envelope
from notifier.domain.errors import ConfigurationError
from notifier.domain.lifecycle import Accepted, Deferred, Outcome, Rejected, RelayTrouble, Unknown
from notifier.mail.relay import Relay
from notifier.settings import Settings, read_settings

_LINE_END = re.compile(rb"\r\n|\r|\n")
_dice = random.SystemRandom()


async def release(message: Captured, to: Sequence[str]) -> Released:
    """Over a connection of its own. Raises NoRelease."""
    try:
        settings = read_settings()
        relay = Relay(relay_settings(_named(settings)), rng=_dice)
    except ConfigurationError as error:
        raise NoRelease(str(error), status=409) from None
    readers = [settings.redirect_all_to] if settings.redirect_all_to else list(dict.fromkeys(to))
    # A line end that only some servers take for one could hide a second mail in the first.
    content = _LINE_END.sub(b"\r\n", message.raw)
    try:
        result = await relay.send(Envelope(message.mail_from, dict(enumerate(readers))), lambda _: content, _always)
    finally:
        await relay.aclose()
    if result is None or isinstance(result, RelayTrouble):
        raise NoRelease(str(result), status=502)
    recipients = [_told(reader, result.outcomes[n]) for n, reader in enumerate(readers)]
    return Released(relay=result.relay, recipients=recipients)


def _named(settings: Settings) -> Settings:
    if settings.suppress_send:
        raise ConfigurationError("SUPPRESS_SEND is set: mail stays here")
    if not settings.mail_server:
        raise ConfigurationError("no relay is named: set MAIL_SERVER where `notifier capture` runs")
    return settings


async def _always() -> bool:
    return True


def _told(email: str, outcome: Outcome) -> Released.Recipient:
    status: Literal["sent", "deferred", "failed", "unknown"]
    match outcome:
        case Accepted(reply):
            status, said = "sent", str(reply)
        case Deferred(_, text, reply):
            status, said = "deferred", str(reply or text)
        case Rejected(_, text, reply):
            status, said = "failed", str(reply or text)
        case Unknown(text):
            status, said = "unknown", text
    return Released.Recipient(email=email, status=status, reply=said)
