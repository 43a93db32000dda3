"""The composition root: settings in, a running service out. The only place that names concrete classes."""

import asyncio
import hmac
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from notifier.capture.pages import inbox_app
from notifier.capture.server import Capture
from notifier.delivery.attempt import Workbench
from notifier.delivery.composer import Composer
from notifier.delivery.dispatcher import DatabaseClock, Dispatcher
from notifier.delivery.janitor import Janitor
from notifier.domain.errors import ConfigurationError, Unavailable
from notifier.domain.feedback import Feedback
from notifier.domain.key import SCOPES, Key, new_secret, secret_hash, secret_prefix
from notifier.domain.lifecycle import RetryPolicy
from notifier.domain.notification import Address, Mode, uuid7
from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.domain.webhook import WebhookState
from notifier.inbound import Inbound
from notifier.intake import Intake
from notifier.mail import address
from notifier.mail.dkim import Dkim, read_key
from notifier.mail.relay import Relay, RelaySettings
from notifier.mail.return_path import ReturnPath
from notifier.mail.words import objection
from notifier.probe import Finding, probe
from notifier.settings import Settings
from notifier.store.admin import AdminStore
from notifier.store.engine import open_database, utc_now
from notifier.store.store import Store
from notifier.telemetry import Telemetry
from notifier.templating.child import Workshop
from notifier.templating.editing import Editor
from notifier.templating.library import Library, Synced
from notifier.web.admin.application import admin_app
from notifier.web.admin.inbox import Gate
from notifier.web.admin.live import Live
from notifier.web.admin.office import BASE, Lanes, Office
from notifier.web.admin.pages import MENU
from notifier.web.admin.sessions import first_link, set_first_password
from notifier.web.application import create_app, create_worker_app
from notifier.web.auth import Authenticator
from notifier.web.providers import Providers
from notifier.web.services import Health, Readiness, Services
from notifier.web.sns import SnsVerifier
from notifier.web.watch import Watch
from notifier.web.wire.limits import Limits
from notifier.webhooks.courier import Courier
from notifier.webhooks.desk import Desk
from notifier.webhooks.networks import Networks
from notifier.webhooks.transport import Http

_GAUGE_PERIOD = 5.0


def shipped_templates() -> Path:
    """The templates that come with notifier: in the package once installed, beside it in a checkout."""
    package = Path(__file__).parent
    return next(path for path in (package / "_templates", package.parent / "templates") if path.is_dir())


def new_key(
    name: str, *, secret: str | None = None, mode: Mode = "live", project: str = "default", **more: Any
) -> tuple[Key, str]:
    """A key and the secret that opens it, which is shown once and not kept."""
    secret = secret or new_secret(mode)
    scopes = more.pop("scopes", None) or SCOPES
    key = Key(
        id=uuid7(),
        project=project,
        name=name,
        prefix=secret_prefix(secret),
        hash=secret_hash(secret),
        mode=mode,
        scopes=frozenset(scopes),
        created_at=datetime.now(UTC),
        **more,
    )
    return key, secret


def derived_key(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that what is signed for one cannot be passed off for another."""
    return hmac.digest(secret, purpose.encode(), "sha256")


@dataclass(frozen=True, slots=True)
class Roles:
    """Which halves of the service a process runs."""

    api: bool = True
    worker: bool = True


class Service:
    """One process of notifier, put together from settings. `async with` starts it and drains it.

    With `capture`, a capture server that runs already, mail goes there whatever the settings say of a relay, and its
    inbox is open; what SUPPRESS_SEND captures is for who is signed in, or has a key. `clock` tells the time where the
    database (PostgreSQL) does not.
    """

    def __init__(
        self,
        settings: Settings,
        roles: Roles = Roles(),
        *,
        capture: Capture | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if settings.is_sqlite and roles.api != roles.worker:
            raise ConfigurationError(
                "NOTIFIER_DATABASE_URL is SQLite, which one process has for itself: run `notifier serve`, "
                "or name a postgresql:// database for separate api and worker processes"
            )
        if roles.worker and capture is None and not settings.mail_server and not settings.suppress_send:
            raise ConfigurationError(
                "MAIL_SERVER is not set: name the relay that mail is sent through, "
                "or run `notifier demo` to see everything work with captured mail"
            )
        dkim = dkim_of(settings)
        self.settings = settings
        self.roles = roles
        self.telemetry = Telemetry()
        self.capture = capture
        self._inbox_is_open = capture is not None
        self._clock = clock
        database = open_database(settings.database_url, clock=clock)
        self.store = Store(database, self)
        self.library = Library(self.store, time.monotonic, public_url=settings.public_url)
        self.workshop = Workshop(public_url=settings.public_url)
        self.editor = Editor(
            self.store,
            self.library,
            self.workshop,
            utc_now,
            folder=str(settings.templates_dir) if settings.templates_source == "folder" else None,
            public_url=settings.public_url,
        )
        self.office = self._office(AdminStore(database))
        networks = Networks(settings.webhooks_allow_networks)
        self.http = Http(networks)
        self._hooks = Desk(self.http, networks, allow_http=settings.webhooks_allow_http)
        self.composer = Composer(
            self.library,
            self.store,
            metadata_header="X-PM-Metadata-notifier-id" if settings.postmark_password else None,
            sign=dkim.signed if dkim else None,
        )
        self.watch = Watch(self.store.statuses)
        self.relay: Relay | None = None
        self.dispatcher: Dispatcher | None = None
        self.inbound: Inbound | None = None
        self._return_path: ReturnPath | None = None
        self._lanes: Mapping[tuple[str, str], tuple[int, float]] = {}
        self._webhooks = WebhookState()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Service":
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            stack.push_async_callback(self.workshop.close)
            stack.push_async_callback(self.http.aclose)
            if self.settings.is_sqlite:
                await self.store.migrate()
            elif not await self.store.is_ready():
                raise ConfigurationError("the database's schema is not this version's: run `notifier db upgrade` first")
            await self._set_return_path()
            await self._set_links()
            if self.roles.api:
                await self._set_bootstrap_key()
                if self.settings.admin_password is not None:
                    await set_first_password(self.office, self.settings.admin_password.get_secret_value())
                await self._start_inbound(stack)
            if self.roles.worker:
                await self._take_up_what_was_left()
                await self._start_worker(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def drain(self) -> None:
        """What a signal asks for, before the last requests are answered: no new claims, and no stream stays open."""
        if self.dispatcher is not None:
            self.dispatcher.drain()
        self.office.live.close()
        if self.capture is not None:
            self.capture.messages.close()

    def wake(self) -> None:
        if self.dispatcher is not None:
            self.dispatcher.wake()

    def committed(self, kind: str, size: int, seconds: float) -> None:
        """A group of the store's was committed: what was accepted is due now, what was finished is waited for."""
        self.telemetry.committed(kind, size, seconds)
        if kind == "accept":
            self.wake()
        elif kind == "finish":
            self.watch.notice()

    def application(self) -> FastAPI:
        """What a process answers HTTP with."""
        if not self.roles.api:
            return create_worker_app(Health(self.readiness, self.telemetry.page))
        settings = self.settings
        intake = Intake(
            self.store,
            self.library,
            address,
            objection,
            sender=Address(settings.mail_from, settings.mail_from_name),
            team=settings.team_addresses,
            largest_backlog=settings.max_backlog,
            clock=self._clock,
        )
        mounts: dict[str, ASGIApp] = {}
        services = Services(
            store=self.store,
            intake=intake,
            composer=self.composer,
            desk=self.editor,
            authenticator=Authenticator(self.store.find_key),
            watch=self.watch,
            wake=self.wake,
            heard=self.telemetry.heard,
            suppressed=self.telemetry.suppressed,
            readiness=self.readiness,
            metrics=self.telemetry.page,
            limits=Limits(settings.max_body, settings.max_data, settings.max_attachments),
            public_url=settings.public_url,
            hooks=self._hooks,
            providers=self._providers(),
            links=self.composer.links,
            mounts=mounts,
        )
        mounts[BASE] = admin = admin_app(services, self.office)
        if self.capture:
            inbox = inbox_app(
                self.capture.messages, self.capture.faults, links={name: BASE + path for path, name in MENU}
            )
            mounts["/inbox"] = inbox if self._inbox_is_open else Gate(inbox, admin)
        return create_app(services)

    def _office(self, store: AdminStore) -> Office:
        settings = self.settings
        from_folder = settings.templates_source == "folder"
        return Office(
            store=store,
            live=Live(store.marks),
            desk=self.editor,
            note=self.store.note,
            lanes=self._waiting,
            relay=self._relay,
            test_relay=self._test_relay,
            templates_folder=str(settings.templates_dir) if from_folder else None,
            password_is_given=settings.admin_password is not None,
            publishers=settings.admin_publishers,
            team=settings.team_addresses,
            redirected_to=settings.redirect_all_to,
            clock=self._clock,
        )

    async def _waiting(self) -> Lanes:
        """What the gauge saw last; a process that sends nothing has none, and looks itself."""
        return self._lanes if self.roles.worker else await self.store.lanes()

    def _relay(self) -> RelaySettings | None:
        """What the relay would be spoken to with; None where no relay is named here."""
        named = self.capture is not None or self.settings.mail_server
        return relay_settings(self.settings, self.capture) if named else None

    async def _test_relay(self, to: str | None) -> AsyncIterator[Finding]:
        if (relay := self._relay()) is not None:
            sender = Address(self.settings.mail_from, self.settings.mail_from_name)
            async for finding in probe(relay, sender, to):
                yield finding

    async def admin_link(self) -> str | None:
        """The path of a page that signs the first admin in, once; None where one can with a password."""
        return await first_link(self.office)

    async def readiness(self) -> Readiness:
        """The database and its schema decide; the relay is told."""
        try:
            current = await self.store.is_ready()
        except Unavailable:
            return Readiness(database=False, schema=False, relay=self._relay_told())
        return Readiness(database=True, schema=current, relay=self._relay_told())

    def _relay_told(self) -> dict[str, Any]:
        if self.relay is None:
            return {}
        state = self.relay.state
        told: dict[str, Any] = {"breaker": state.breaker, "connections": state.open, "idle": state.idle}
        if state.trouble is not None:
            told |= {
                "error": str(state.trouble),
                "kind": state.trouble.kind,
                "configuration": state.trouble.configuration,
                "since": state.since.isoformat(),
            }
        return told

    async def sync_templates(self, folder: Path, *, always_publish: bool = False) -> Synced:
        """Reads the folder into the store, and says in the log what came of it."""
        only = self.settings.templates_source == "folder"
        synced = await self.library.sync(folder, always_publish=always_publish, only_source=only)
        log = self.telemetry.log
        for name in synced.published:
            log.info("template published", template=name, source="folder")
        for name, why in synced.drafted.items():
            log.warning("template kept as a draft", template=name, reasons=list(why))
        for name, faults in synced.broken.items():
            log.error("template broken", template=name, faults=[f"{fault.field}: {fault.message}" for fault in faults])
        for name in synced.withdrawn:
            log.warning("template withdrawn", template=name, reason="it is not in the folder, the only source")
        return synced

    async def _take_up_what_was_left(self) -> None:
        """On our own file nobody else can hold a lease: whatever is claimed was left by a process that is gone."""
        if self.settings.is_sqlite and (count := await self.store.reclaim_all()):
            self.telemetry.chore("reclaimed", count)

    async def _set_bootstrap_key(self) -> None:
        given = self.settings.api_key
        key = new_key("bootstrap", secret=given.get_secret_value())[0] if given else None
        await self.store.set_bootstrap_key(key)

    async def _set_return_path(self) -> None:
        """Signed with what all processes on this database share. Staging's one mailbox speaks for nobody."""
        address = self.settings.bounce_address
        if address is None or self.settings.redirect_all_to is not None:
            return
        try:
            self._return_path = ReturnPath(address, derived_key(await self.store.project_secret("default"), "bounces"))
        except ValueError as error:
            raise ConfigurationError(f"NOTIFIER_BOUNCE_ADDRESS: {error}") from None

    async def _set_links(self) -> None:
        if self.settings.public_url is not None:
            secret = derived_key(await self.store.project_secret("default"), "unsubscribe")
            self.composer.links = UnsubscribeLinks(self.settings.public_url, secret)

    def _providers(self) -> Providers:
        settings = self.settings
        return Providers(
            SnsVerifier(settings.ses_topics, self.http.fetch) if settings.ses_topics else None,
            settings.mailgun_signing_key.get_secret_value() if settings.mailgun_signing_key else None,
            settings.postmark_password.get_secret_value() if settings.postmark_password else None,
        )

    async def _start_inbound(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        if self._return_path is None or settings.bounce_port is None:
            return
        self.inbound = Inbound(
            self._return_path,
            self._hear,
            host=settings.bounce_host,
            port=settings.bounce_port,
            received=self.telemetry.reported,
        )
        try:
            await stack.enter_async_context(self.inbound)
        except OSError as error:
            where = f"{settings.bounce_host}:{settings.bounce_port}"
            raise ConfigurationError(f"NOTIFIER_BOUNCE_PORT: cannot listen on {where}: {error.strerror}") from None

    async def _hear(self, one: Feedback) -> bool:
        changed = await self.store.hear(one)
        self.telemetry.heard(one, changed)
        return changed

    async def _start_worker(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        if self.capture is None and settings.suppress_send:
            self.capture = await stack.enter_async_context(Capture())
        relay = Relay(relay_settings(settings, self.capture), rng=random.SystemRandom(), observer=self.telemetry)
        stack.push_async_callback(relay.aclose)
        clock = DatabaseClock(self._clock, time.monotonic)
        bench = Workbench(
            owner=uuid7(),
            queue=self.store,
            composer=self.composer,
            relay=relay,
            policy=RetryPolicy(settings.retry_first, settings.retry_max, settings.give_up_after),
            journal=self.telemetry,
            now=clock,
            monotonic=time.monotonic,
            rng=random.SystemRandom(),
            redirect_to=settings.redirect_all_to,
            return_path=self._return_path.of if self._return_path else None,
        )
        courier = Courier(
            self.store,
            self.http,
            owner=bench.owner,
            lease=settings.lease,
            alone=settings.is_sqlite,
            each=settings.webhooks_connections,
            grace=min(5.0, settings.shutdown_grace),
            told=self.telemetry.told,
            storeless=self.telemetry.storeless,
            crashed=self.telemetry.crashed,
        )
        stack.push_async_callback(_cancel, asyncio.create_task(courier.run(), name="courier"))
        self.relay = relay
        self.dispatcher = Dispatcher(bench, relay, clock, lease=settings.lease, grace=settings.shutdown_grace)
        janitor = Janitor(
            self.store,
            self.telemetry,
            period=min(5.0, settings.lease / 4),
            idempotency_ttl=settings.idempotency_ttl,
            webhooks_kept=settings.webhooks_keep,
            wake=self.wake,
        )
        self.telemetry.watch_backlog(lambda: self._lanes)
        self.telemetry.watch_webhooks(lambda: self._webhooks)
        stack.push_async_callback(_cancel, asyncio.create_task(self._measure(), name="backlog-gauge"))
        self.telemetry.watch(lambda: self.dispatcher.in_flight if self.dispatcher else 0)
        stack.push_async_callback(_cancel, asyncio.create_task(janitor.run(), name="janitor"))
        await stack.enter_async_context(self.store.on_work(self.wake, courier.wake))
        stack.push_async_callback(self._drain, asyncio.create_task(self.dispatcher.run(), name="dispatcher"))

    async def _measure(self) -> None:
        """What waits, looked at now and then: a scrape never asks the database."""
        while True:
            try:
                self._lanes = await self.store.lanes()
                self._webhooks = await self.store.webhook_state()
            except Unavailable as error:
                self.telemetry.storeless("the backlog gauge", error)
            except Exception as error:  # noqa: BLE001 - a gauge that ends would show its last number for ever
                self.telemetry.crashed("the backlog gauge", error)
            await asyncio.sleep(_GAUGE_PERIOD)

    async def _drain(self, running: "asyncio.Task[None]") -> None:
        if self.dispatcher is not None:
            self.dispatcher.drain()
        await running


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


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
