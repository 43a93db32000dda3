"""How the settings say that mail is sent: the relay, and what signs for whom."""

from collections.abc import AsyncIterator
from typing import Any

from notifier.capture.server import Capture
from notifier.domain.errors import ConfigurationError
from notifier.domain.notification import Address
from notifier.mail.dkim import Dkim, read_key
from notifier.mail.relay import RelaySettings
from notifier.probe import Finding, probe
from notifier.settings import Settings


def dkim_of(settings: Settings) -> Dkim | None:
    """What signs mail; None where no key is named. Raises ConfigurationError."""
    try:
        keys = [read_key(text) for text in settings.dkim_keys]
    except ValueError as error:
        raise ConfigurationError(f"NOTIFIER_DKIM_KEYS: {error}") from None
    return Dkim(keys) if keys else None


def relay_settings(settings: Settings, capture: Capture | None = None) -> RelaySettings:
    """The relay that the settings name, or the capture server in its place. Raises ConfigurationError."""
    s = settings
    pressed: dict[str, Any] = {
        "connections": s.relay_connections,
        "messages_per_connection": s.relay_messages_per_connection,
        "rate": s.relay_rate,
        "timeout": s.relay_timeout,
        # RFC 5321 4.5.3.2.6: ten minutes for the reply to the final dot, unless a person set less for everything.
        "dot_timeout": min(600.0, s.relay_timeout) if "relay_timeout" in s.model_fields_set else 600.0,
        "pipelining": s.relay_pipelining,
    }
    if capture is not None:
        return RelaySettings(capture.host, capture.port, **pressed)
    try:
        return RelaySettings(
            str(s.mail_server),
            s.mail_port,
            username=s.mail_username,
            password=s.mail_password.get_secret_value() if s.mail_password else None,
            starttls=s.mail_starttls,
            ssl_tls=s.mail_ssl_tls,
            use_credentials=s.with_credentials,
            validate_certs=s.validate_certs,
            allow_plaintext_auth=s.relay_allow_plaintext_auth,
            **pressed,
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def probe_as_sender(relay: RelaySettings, settings: Settings, to: str | None) -> AsyncIterator[Finding]:
    """Goes through the relay step by step, as the sender of the settings; the last sends a mail, if there is `to`."""
    sender = Address(settings.mail_from, settings.mail_from_name)
    return probe(relay, sender, to, signs=bool(settings.dkim_keys))
