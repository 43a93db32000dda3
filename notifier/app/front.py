"""The half that answers HTTP: the API, the admin pages, and the inbox where mail is captured."""

from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import FastAPI
from starlette.types import ASGIApp

from notifier.app.feedback import providers_of
from notifier.app.parts import Parts
from notifier.app.relay import probe_as_sender, relay_settings
from notifier.capture.pages import inbox_app
from notifier.capture.server import Capture
from notifier.domain.notification import Address
from notifier.intake import Intake
from notifier.mail import address
from notifier.mail.relay import RelaySettings
from notifier.mail.words import objection
from notifier.probe import Finding
from notifier.web.admin.application import admin_app
from notifier.web.admin.inbox import Gate
from notifier.web.admin.live import Live
from notifier.web.admin.office import BASE, Lanes, Office
from notifier.web.admin.pages import MENU
from notifier.web.application import create_app
from notifier.web.auth import Authenticator
from notifier.web.services import Health, Services
from notifier.web.wire.limits import Limits


def make_office(parts: Parts, capture: Capture | None, lanes: Callable[[], Awaitable[Lanes]]) -> Office:
    """What the admin pages need beyond what the API does. `lanes` tells what waits."""
    settings = parts.settings

    def relay() -> RelaySettings | None:
        named = capture is not None or settings.mail_server
        return relay_settings(settings, capture) if named else None

    async def test_relay(to: str | None) -> AsyncIterator[Finding]:
        if (found := relay()) is not None:
            async for finding in probe_as_sender(found, settings, to):
                yield finding

    return Office(
        store=parts.admin_store,
        live=Live(parts.admin_store.marks),
        desk=parts.editor,
        note=parts.store.note,
        lanes=lanes,
        relay=relay,
        test_relay=test_relay,
        templates_folder=parts.folder,
        password_is_given=settings.admin_password is not None,
        publishers=settings.admin_publishers,
        team=settings.team_addresses,
        redirected_to=settings.redirect_all_to,
        clock=parts.clock,
    )


def make_application(
    parts: Parts, office: Office, health: Health, wake: Callable[[], None], inbox: tuple[Capture, bool] | None
) -> FastAPI:
    """`wake` is called when something may be due. `inbox` is what captures the mail, and whether everybody may look."""
    settings, telemetry = parts.settings, parts.telemetry
    mounts: dict[str, ASGIApp] = {}
    services = Services(
        store=parts.store,
        intake=_intake(parts),
        composer=parts.composer,
        desk=parts.editor,
        authenticator=Authenticator(parts.store.find_key),
        watch=parts.watch,
        wake=wake,
        heard=telemetry.heard,
        suppressed=telemetry.suppressed,
        readiness=health.readiness,
        metrics=health.metrics,
        limits=Limits(settings.max_body, settings.max_data, settings.max_attachments),
        public_url=settings.public_url,
        hooks=parts.hooks,
        providers=providers_of(settings, parts.http),
        links=parts.composer.links,
        mounts=mounts,
    )
    mounts[BASE] = admin = admin_app(services, office)
    if inbox is not None:
        capture, is_open = inbox
        page = inbox_app(capture.messages, capture.faults, links={name: BASE + path for path, name in MENU})
        mounts["/inbox"] = page if is_open else Gate(page, admin)
    return create_app(services)


def _intake(parts: Parts) -> Intake:
    settings = parts.settings
    return Intake(
        parts.store,
        parts.library,
        address,
        objection,
        sender=Address(settings.mail_from, settings.mail_from_name),
        team=settings.team_addresses,
        largest_backlog=settings.max_backlog,
        clock=parts.clock,
    )
