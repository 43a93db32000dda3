"""What the front door needs of the rest: small protocols, and one frozen object that holds what satisfies them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import Request
from starlette.types import ASGIApp

from notifier.domain.errors import Fault
from notifier.domain.feedback import Feedback
from notifier.domain.key import Key
from notifier.domain.lifecycle import NotificationStatus
from notifier.domain.listing import Batch, Cursor, Feed, Filter, Listed, Page, Pause
from notifier.domain.notification import Event, Notification, Record
from notifier.domain.suppression import NewSuppression, Suppressed, Suppression, SuppressionFilter
from notifier.domain.template import Preview, Published, Renewed, Saved, Source, Summary, Version, Whole
from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.domain.webhook import Answer, Webhook, WebhookChange, WebhookDelivery
from notifier.intake import Intake
from notifier.web.auth import Authenticator, RateLimiter
from notifier.web.providers import Providers
from notifier.web.watch import Watch
from notifier.web.wire.limits import Limits


@dataclass(frozen=True, slots=True)
class Readiness:
    """What /readyz tells: whether the database answers, whether its schema is ours, and how the relay is, which is
    told and does not make the service unready."""

    database: bool
    schema: bool
    relay: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """What a process without an API answers with."""

    readiness: Callable[[], Awaitable[Readiness]]
    metrics: Callable[[], bytes]


class Store(Protocol):
    """The store, as the API sees it."""

    async def records(self, ids: Sequence[str]) -> Mapping[str, Record]: ...
    async def events(self, id_: str) -> Sequence[Event]: ...
    async def files(self, hashes: Sequence[str]) -> Mapping[str, bytes]: ...
    async def find_asset(self, beginning: str, /) -> bytes | None: ...
    async def listed(self, project: str, wanted: Filter, page: Page) -> Listed: ...
    async def matching(self, project: str, wanted: Filter, page: Page) -> Sequence[str]: ...
    async def statuses(self, ids: Sequence[str]) -> Mapping[str, NotificationStatus]: ...
    async def find_batch(self, project: str, id_: str) -> Batch | None: ...
    async def feed(self, project: str, after: Cursor, types: Sequence[str], limit: int) -> Feed: ...
    async def cancel(self, project: str, id_: str) -> None: ...
    async def retry(self, project: str, id_: str) -> None: ...
    async def cancel_each(self, project: str, ids: Sequence[str]) -> int: ...
    async def retry_each(self, project: str, ids: Sequence[str]) -> int: ...
    async def pauses(self, project: str) -> Sequence[Pause]: ...
    async def add_pause(self, project: str, scope: str, reason: str | None) -> Pause: ...
    async def remove_pause(self, project: str, scope: str) -> bool: ...
    async def project_secret(self, name: str) -> bytes: ...
    async def keys(self, project: str | None = None) -> Sequence[Key]: ...
    async def add_key(self, key: Key) -> None: ...
    async def revoke_key(self, id_: str, project: str | None = None) -> bool: ...
    async def note(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None: ...
    async def hear(self, one: Feedback) -> bool: ...
    async def webhooks(self, project: str) -> Sequence[Webhook]: ...
    async def find_webhook(self, project: str, id_: str) -> Webhook | None: ...
    async def add_webhook(self, hook: Webhook) -> None: ...
    async def change_webhook(self, project: str, id_: str, change: WebhookChange) -> Webhook | None: ...
    async def remove_webhook(self, project: str, id_: str) -> bool: ...
    async def webhook_deliveries(
        self, id_: str, state: str | None, after: str | None, limit: int
    ) -> Sequence[WebhookDelivery]: ...
    async def redeliver_webhook(self, id_: str, delivery: str) -> str | None: ...
    async def suppressions(
        self, wanted: SuppressionFilter, after: tuple[str, str] | None, limit: int
    ) -> Suppressed: ...
    async def find_suppressions(self, address_key: str) -> Sequence[Suppression]: ...
    async def put_suppression(self, new: NewSuppression) -> Suppression: ...
    async def add_suppressions(self, news: Sequence[NewSuppression]) -> int: ...
    async def lift_suppressions(self, address_key: str, scope: str | None) -> int: ...


class Hooks(Protocol):
    """What is asked about endpoints."""

    def objection(self, url: str, /) -> str | None: ...
    async def try_out(self, hook: Webhook, /) -> Answer: ...


class Rendering(Protocol):
    """A rendered template, or literal content."""

    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str | None: ...
    @property
    def html(self) -> str | None: ...


class Composed(Protocol):
    """A mail as it will be sent, or was."""

    @property
    def rendered(self) -> Rendering: ...

    def build(self, smtputf8: bool) -> bytes:
        """The message as it goes over the wire."""


class Composer(Protocol):
    async def compose(self, one: Notification, /) -> Composed: ...


class Desk(Protocol):
    """Where templates are edited."""

    async def summaries(self) -> Sequence[Summary]: ...
    async def published(self) -> Mapping[str, Published]: ...
    async def versions(self, name: str, /) -> Sequence[Version]: ...
    async def whole(self, name: str, wanted: int | str | None, /) -> Whole: ...

    async def verdict(
        self,
        name: str,
        data: Mapping[str, Any],
        /,
        *,
        version: int | str | None,
        locale: str | None,
        timezone: str | None,
    ) -> Sequence[Fault]: ...

    async def preview(
        self,
        name: str,
        source: Source | None,
        /,
        *,
        version: int | str | None,
        data: Mapping[str, Any] | None,
        sample: str | None,
        locale: str | None,
        timezone: str | None,
    ) -> Preview: ...

    async def save(
        self,
        name: str,
        source: Source,
        /,
        *,
        author: str,
        publish: bool,
        force: bool,
        onto: int | None,
        note: str | None,
    ) -> Saved: ...

    async def publish(self, name: str, number: int, /, *, author: str, force: bool) -> Renewed: ...
    async def delete(self, name: str, /, *, author: str) -> None: ...


@dataclass(frozen=True)
class Services:
    """Everything that endpoints work with.

    `wake` tells the dispatcher of this process, if there is one, that something is due again. `mounts` are whole apps
    under a path of their own. `watch` is told by whoever sees finishes being committed (`watch.notice`).
    `heard` counts feedback and whether it changed anything, `suppressed` what people added, and how.
    """

    store: Store
    intake: Intake
    composer: Composer
    desk: Desk
    hooks: Hooks
    authenticator: Authenticator
    watch: Watch
    readiness: Callable[[], Awaitable[Readiness]]
    metrics: Callable[[], bytes]
    wake: Callable[[], None] = lambda: None
    heard: Callable[[Feedback, bool], None] = lambda _one, _changed: None
    suppressed: Callable[[str, int], None] = lambda _by, _count: None
    limits: Limits = field(default_factory=Limits)
    public_url: str | None = None
    providers: Providers = field(default_factory=Providers)
    links: UnsubscribeLinks | None = None
    rate_limiter: RateLimiter = field(default_factory=RateLimiter)
    mounts: Mapping[str, ASGIApp] = field(default_factory=dict)
    _secrets: dict[str, bytes] = field(default_factory=dict)

    async def secret_of(self, caller: Key) -> bytes:
        """What the idempotency fingerprints of a project are keyed with. It never changes. The mode is in it: what a
        test key only played is not what a live key asks for."""
        known = self._secrets.get(caller.project)
        if known is None:
            known = self._secrets[caller.project] = await self.store.project_secret(caller.project)
        return known if caller.mode == "live" else known + caller.mode.encode()


def services_of(request: Request) -> Services:
    found: Services = request.app.state.services
    return found
