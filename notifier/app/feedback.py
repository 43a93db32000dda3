"""What comes back after mail is sent: bounces to signed return paths, what providers post, readers who say stop."""

import hmac

from notifier.domain.errors import ConfigurationError
from notifier.domain.feedback import Feedback
from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.inbound import Inbound
from notifier.mail.return_path import ReturnPath
from notifier.settings import Settings
from notifier.store.store import Store
from notifier.telemetry import Telemetry
from notifier.web.providers import Providers
from notifier.web.sns import SnsVerifier
from notifier.webhooks.transport import Http


async def return_path_of(settings: Settings, store: Store) -> ReturnPath | None:
    """Signed with what all processes on this database share. Staging's one mailbox speaks for nobody.

    Raises ConfigurationError.
    """
    address = settings.bounce_address
    if address is None or settings.redirect_all_to is not None:
        return None
    try:
        return ReturnPath(address, await _key_for("bounces", store))
    except ValueError as error:
        raise ConfigurationError(f"NOTIFIER_BOUNCE_ADDRESS: {error}") from None


async def unsubscribe_links(settings: Settings, store: Store) -> UnsubscribeLinks | None:
    """None where nobody outside can reach us."""
    if settings.public_url is None:
        return None
    return UnsubscribeLinks(settings.public_url, await _key_for("unsubscribe", store))


async def _key_for(purpose: str, store: Store) -> bytes:
    """A key for one purpose, so that what is signed for one cannot be passed off for another."""
    return hmac.digest(await store.project_secret("default"), purpose.encode(), "sha256")


def inbound_of(
    settings: Settings, return_path: ReturnPath | None, store: Store, telemetry: Telemetry
) -> Inbound | None:
    """The listener for bounces, not listening yet; None where the settings name no port."""
    if return_path is None or settings.bounce_port is None:
        return None

    async def hear(one: Feedback) -> bool:
        changed = await store.hear(one)
        telemetry.heard(one, changed)
        return changed

    return Inbound(return_path, hear, host=settings.bounce_host, port=settings.bounce_port, received=telemetry.reported)


def providers_of(settings: Settings, http: Http) -> Providers:
    """By what the providers that are set up prove themselves."""
    return Providers(
        SnsVerifier(settings.ses_topics, http.fetch) if settings.ses_topics else None,
        settings.mailgun_signing_key.get_secret_value() if settings.mailgun_signing_key else None,
        settings.postmark_password.get_secret_value() if settings.postmark_password else None,
    )
