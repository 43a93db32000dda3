"""One process of notifier: what it is made of, and in which order it starts and stops."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fastapi import FastAPI

from notifier.app.feedback import inbound_of, return_path_of, unsubscribe_links
from notifier.app.front import make_application, make_office
from notifier.app.parts import Parts
from notifier.app.storage import prepare
from notifier.app.worker import Worker
from notifier.capture.server import Capture
from notifier.domain.errors import ConfigurationError, Unavailable
from notifier.domain.key import new_key
from notifier.domain.template import Synced
from notifier.inbound import Inbound
from notifier.mail.return_path import ReturnPath
from notifier.settings import Settings
from notifier.store.engine import utc_now
from notifier.web.admin.office import Lanes
from notifier.web.admin.sessions import first_link, set_first_password
from notifier.web.application import create_worker_app
from notifier.web.services import Health, Readiness


@dataclass(frozen=True, slots=True)
class Roles:
    """Which halves of the service a process runs: one of them, or both."""

    api: bool = True
    worker: bool = True


class Service:
    """Put together from settings; `async with` starts it and drains it. Raises ConfigurationError.

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
        _check(settings, roles, capture)
        self.settings = settings
        self.roles = roles
        self._own = Capture() if roles.worker and capture is None and settings.suppress_send else None
        self.capture = capture or self._own
        self._parts = parts = Parts(settings, self, clock)
        self.telemetry = parts.telemetry
        self.store = parts.store
        self.library = parts.library
        self.editor = parts.editor
        self.watch = parts.watch
        self.office = make_office(parts, self.capture, self._waiting)
        self.worker: Worker | None = None
        self.inbound: Inbound | None = None
        self.return_path: ReturnPath | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Service":
        parts, settings = self._parts, self.settings
        async with AsyncExitStack() as stack:
            stack.push_async_callback(parts.store.close)
            stack.push_async_callback(parts.workshop.close)
            stack.push_async_callback(parts.http.aclose)
            await prepare(parts.store, settings)
            self.return_path = await return_path_of(settings, parts.store)
            parts.composer.links = await unsubscribe_links(settings, parts.store)
            if self.roles.api:
                await self._let_in()
                await self._listen_for_bounces(stack)
            if self.roles.worker:
                if self._own is not None:
                    await stack.enter_async_context(self._own)
                worker = Worker(parts, self.capture, self.return_path)
                self.worker = await stack.enter_async_context(worker)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def drain(self) -> None:
        """What a signal asks for, before the last requests are answered: no new claims, and no stream stays open."""
        if self.worker is not None:
            self.worker.dispatcher.drain()
        self.office.live.close()
        if self.capture is not None:
            self.capture.messages.close()

    def wake(self) -> None:
        if self.worker is not None:
            self.worker.dispatcher.wake()

    def committed(self, kind: str, size: int, seconds: float) -> None:
        """A group of the store's was committed: what was accepted is due now, what was finished is waited for."""
        self.telemetry.committed(kind, size, seconds)
        if kind == "accept":
            self.wake()
        elif kind == "finish":
            self.watch.notice()

    def application(self) -> FastAPI:
        """What a process answers HTTP with."""
        health = Health(self.readiness, self.telemetry.page)
        if not self.roles.api:
            return create_worker_app(health)
        inbox = (self.capture, self._own is None) if self.capture else None
        return make_application(self._parts, self.office, health, self.wake, inbox)

    async def readiness(self) -> Readiness:
        """The database and its schema decide; the relay is told."""
        relay = self.worker.relay_state() if self.worker is not None else {}
        try:
            return Readiness(database=True, schema=await self.store.is_ready(), relay=relay)
        except Unavailable:
            return Readiness(database=False, schema=False, relay=relay)

    async def admin_link(self) -> str | None:
        """The path of a page that signs the first admin in, once; None where one can with a password."""
        return await first_link(self.office)

    async def sync_templates(self, folder: Path, *, always_publish: bool = False) -> Synced:
        """Reads the folder into the store, and says in the log what came of it."""
        only = self.settings.templates_source == "folder"
        synced = await self.library.sync(folder, always_publish=always_publish, only_source=only)
        self.telemetry.synced(synced)
        return synced

    async def _waiting(self) -> Lanes:
        """What the gauge saw last; a process that sends nothing has none, and looks itself."""
        return self.worker.lanes if self.worker is not None else await self.store.lanes()

    async def _let_in(self) -> None:
        """Whom the settings let in: a caller with the bootstrap key, and the first admin."""
        secret, password = self.settings.api_key, self.settings.admin_password
        key = new_key("bootstrap", secret=secret.get_secret_value())[0] if secret is not None else None
        await self.store.set_bootstrap_key(key)
        if password is not None:
            await set_first_password(self.office, password.get_secret_value())

    async def _listen_for_bounces(self, stack: AsyncExitStack) -> None:
        self.inbound = inbound_of(self.settings, self.return_path, self.store, self.telemetry)
        if self.inbound is None:
            return
        try:
            await stack.enter_async_context(self.inbound)
        except OSError as error:
            where = f"{self.settings.bounce_host}:{self.settings.bounce_port}"
            raise ConfigurationError(f"NOTIFIER_BOUNCE_PORT: cannot listen on {where}: {error.strerror}") from None


def _check(settings: Settings, roles: Roles, capture: Capture | None) -> None:
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
