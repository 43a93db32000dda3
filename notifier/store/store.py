"""The store as the rest of the service sees it: every question and every change, each in a transaction of its own or
in one that it shares with those that came at the same time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from notifier.domain.acceptance import Acceptance, Earlier, Receipt
from notifier.domain.delivery import Finish
from notifier.domain.errors import Conflict
from notifier.domain.feedback import Feedback
from notifier.domain.key import Key
from notifier.domain.lifecycle import NotificationStatus
from notifier.domain.listing import Batch, Cursor, Feed, Filter, Listed, Page, Pause
from notifier.domain.notification import Event, Record
from notifier.domain.suppression import NewSuppression, Suppressed, Suppression, SuppressionFilter
from notifier.domain.template import Closure, NewVersion, Published, Summary, Version
from notifier.domain.webhook import (
    Rooms,
    Webhook,
    WebhookChange,
    WebhookClaim,
    WebhookDelivery,
    WebhookFinish,
    WebhookState,
)
from notifier.store import (
    acceptance,
    chores,
    control,
    feedback,
    gauge,
    idempotency,
    keys,
    listing,
    queue,
    reading,
    schema,
    search,
    suppression,
    templates,
    webhooks,
)
from notifier.store.engine import Database, Tx
from notifier.store.group import Group, GroupObserver, Unheard
from notifier.store.queue import Claim


class Store:
    """All of notifier's state, on one database. `observer` hears of the commits."""

    def __init__(self, database: Database, observer: GroupObserver | None = None) -> None:
        self._database = database
        observer = observer or Unheard()
        self.accept: Group[Acceptance, Receipt] = Group(
            "accept", database, acceptance.accept, observer, blocked=_in_flight, weight=lambda one: len(one.news)
        )
        self.finish: Group[Finish, bool] = Group("finish", database, queue.finish, observer)
        self.hand_back: Group[tuple[str, int], bool] = Group("hand_back", database, queue.hand_back, observer)
        self.finish_webhook: Group[WebhookFinish, bool] = Group("webhook", database, webhooks.finish, observer)
        self.mark_transmitting: Group[tuple[str, int], bool] = Group(
            "mark", database, queue.mark_transmitting, observer
        )

    async def close(self) -> None:
        await self._database.close()

    # ---- schema and health

    async def migrate(self) -> None:
        """Brings the schema to the newest revision."""
        await self._database.migrate(schema.upgrade)

    async def is_ready(self) -> bool:
        """Whether the database answers and its schema is the one this code was written for."""
        return await self._database.read(lambda tx: schema.is_current(tx.connection))

    def on_work(
        self, work: Callable[[], None], telling: Callable[[], None] = lambda: None
    ) -> AbstractAsyncContextManager[None]:
        """While entered, calls `work` when any process may have made mail due, and `telling` when endpoints have
        something to be told. Polling stays behind it."""
        return self._database.listen(work, telling)

    # ---- the queue

    async def claim(self, owner: str, lease: float, limit: int, turn: int, suspect: bool) -> Claim:
        return await self._database.write(lambda tx: queue.claim(tx, owner, lease, limit, turn, suspect))

    async def claim_simulated(self, owner: str, lease: float, limit: int) -> Claim:
        return await self._database.write(lambda tx: queue.claim_simulated(tx, owner, lease, limit))

    async def extend(self, leases: Sequence[tuple[str, int]], lease: float) -> frozenset[str]:
        return await self._database.write(lambda tx: queue.extend(tx, leases, lease))

    async def reclaim(self) -> int:
        """Takes up rows whose lease has run out; answers how many."""
        return await self._database.write(lambda tx: chores.reclaim(tx, tx.now))

    async def reclaim_all(self) -> int:
        """Takes up every claimed row: for the start of a process that alone may hold leases here."""

        def work(tx: Tx) -> int:
            return chores.reclaim(tx, tx.now + timedelta(days=3650))

        total = 0
        while count := await self._database.write(work):
            total += count
        return total

    async def expire(self) -> int:
        return await self._database.write(chores.expire)

    async def forget(self, idempotency_ttl: float) -> int:
        """Drops idempotency keys past their life (seconds); answers how many."""
        return await self._database.write(lambda tx: idempotency.forget(tx, idempotency_ttl))

    async def lanes(self) -> Mapping[tuple[str, str], tuple[int, float]]:
        """What waits, by (project, priority): rows, and seconds for which the oldest has been due."""
        return await self._database.read(gauge.backlog)

    # ---- reading

    async def records(self, ids: Sequence[str]) -> Mapping[str, Record]:
        return await self._database.read(lambda tx: reading.records(tx, ids))

    async def events(self, id_: str) -> Sequence[Event]:
        return await self._database.read(lambda tx: reading.events(tx, id_))

    async def earlier(self, project: str, idempotency_keys: Sequence[str], /) -> Mapping[str, Earlier]:
        return await self._database.read(lambda tx: idempotency.earlier(tx, project, idempotency_keys))

    async def backlog(self, limit: int, /) -> int:
        return await self._database.read(lambda tx: control.backlog(tx, limit))

    async def listed(self, project: str, wanted: Filter, page: Page) -> Listed:
        return await self._database.read(lambda tx: listing.listed(tx, project, wanted, page))

    async def matching(self, project: str, wanted: Filter, page: Page) -> Sequence[str]:
        """The ids of the notifications that `listed` would bring."""
        return await self._database.read(lambda tx: search.matching(tx, project, wanted, page))

    async def statuses(self, ids: Sequence[str]) -> Mapping[str, NotificationStatus]:
        return await self._database.read(lambda tx: listing.statuses(tx, ids))

    async def find_batch(self, project: str, id_: str) -> Batch | None:
        return await self._database.read(lambda tx: listing.find_batch(tx, project, id_))

    async def feed(self, project: str, after: Cursor, types: Sequence[str], limit: int) -> Feed:
        return await self._database.read(lambda tx: listing.feed(tx, project, after, types, limit))

    # ---- what callers do to what is accepted

    async def cancel(self, project: str, id_: str) -> None:
        """Raises NotFound, and Conflict saying the status."""
        await self._database.write(lambda tx: control.cancel(tx, project, id_))

    async def retry(self, project: str, id_: str) -> None:
        """Raises NotFound, and Conflict saying the status."""
        await self._database.write(lambda tx: control.retry(tx, project, id_))

    async def cancel_each(self, project: str, ids: Sequence[str]) -> int:
        """Cancels those of these that can be; answers how many."""
        return await self._database.write(lambda tx: control.each(tx, control.cancel, project, ids))

    async def retry_each(self, project: str, ids: Sequence[str]) -> int:
        """Retries those of these that can be; answers how many."""
        return await self._database.write(lambda tx: control.each(tx, control.retry, project, ids))

    async def hold(self, reason: str) -> int:
        """Ends all that is open as held, until it is retried; answers how many."""
        total = 0
        while count := await self._database.write(lambda tx: control.hold(tx, reason)):
            total += count
        return total

    async def pauses(self, project: str) -> Sequence[Pause]:
        return await self._database.read(lambda tx: control.pauses(tx, project))

    async def add_pause(self, project: str, scope: str, reason: str | None) -> Pause:
        return await self._database.write(lambda tx: control.add_pause(tx, project, scope, reason))

    async def remove_pause(self, project: str, scope: str) -> bool:
        """Lets a scope go on. False if it was not stopped."""
        removed = await self._database.write(lambda tx: control.remove_pause(tx, project, scope))
        await self.resume()
        return removed

    async def resume(self) -> int:
        """Queues what was set aside and no pause holds any more; answers how many."""
        total = 0
        while count := await self._database.write(control.resume):
            total += count
        return total

    async def files(self, hashes: Iterable[str]) -> Mapping[str, bytes]:
        return await self._database.read(lambda tx: reading.files(tx, hashes))

    # ---- keys and projects

    async def find_key(self, prefix: str) -> Key | None:
        return await self._database.read(lambda tx: keys.find_key(tx, prefix))

    async def keys(self, project: str | None = None) -> Sequence[Key]:
        return await self._database.read(lambda tx: keys.keys(tx, project))

    async def add_key(self, key: Key) -> None:
        await self._database.write(lambda tx: keys.add_key(tx, key))

    async def set_bootstrap_key(self, key: Key | None) -> None:
        await self._database.write(lambda tx: keys.set_bootstrap_key(tx, key))

    async def revoke_key(self, id_: str, project: str | None = None) -> bool:
        return await self._database.write(lambda tx: keys.revoke_key(tx, id_, project))

    async def project_secret(self, name: str) -> bytes:
        return await self._database.write(lambda tx: keys.project_secret(tx, name))

    # ---- webhooks

    async def webhooks(self, project: str) -> Sequence[Webhook]:
        return await self._database.read(lambda tx: webhooks.hooks(tx, project))

    async def find_webhook(self, project: str, id_: str) -> Webhook | None:
        return await self._database.read(lambda tx: webhooks.find(tx, project, id_))

    async def add_webhook(self, hook: Webhook) -> None:
        await self._database.write(lambda tx: webhooks.add(tx, hook))

    async def change_webhook(self, project: str, id_: str, change: WebhookChange) -> Webhook | None:
        return await self._database.write(lambda tx: webhooks.change(tx, project, id_, change))

    async def remove_webhook(self, project: str, id_: str) -> bool:
        return await self._database.write(lambda tx: webhooks.remove(tx, project, id_))

    async def webhook_deliveries(
        self, id_: str, state: str | None, after: str | None, limit: int
    ) -> Sequence[WebhookDelivery]:
        return await self._database.read(lambda tx: webhooks.deliveries(tx, id_, state, after, limit))

    async def redeliver_webhook(self, id_: str, delivery: str) -> str | None:
        return await self._database.write(lambda tx: webhooks.redeliver(tx, id_, delivery))

    async def webhooks_due(self, rooms: Rooms, each: int) -> bool:
        return await self._database.read(lambda tx: webhooks.is_due(tx, rooms, each))

    async def claim_webhooks(self, owner: str, lease: float, rooms: Rooms, each: int, limit: int) -> WebhookClaim:
        return await self._database.write(lambda tx: webhooks.claim(tx, owner, lease, rooms, each, limit))

    async def release_webhooks(self, *, every: bool = False, owner: str | None = None) -> int:
        """Takes up what lost processes were telling; all that an `owner` has; `every`, for a process that alone may be
        telling anything."""
        if every or owner is not None:
            return await self._database.write(lambda tx: webhooks.release(tx, tx.now + timedelta(days=3650), owner))
        if not await self._database.read(webhooks.lost):
            return 0
        return await self._database.write(lambda tx: webhooks.release(tx, tx.now))

    async def webhook_state(self) -> WebhookState:
        return await self._database.read(webhooks.state)

    async def forget_webhooks(self, keep: float) -> int:
        """Drops what was told, or not, more than `keep` seconds ago; answers how many."""
        return await self._database.write(lambda tx: webhooks.forget(tx, keep))

    # ---- feedback and suppressions

    async def hear(self, one: Feedback) -> bool:
        """Records what became of a mail. True if it changed something."""
        return await self._database.write(lambda tx: feedback.hear(tx, one))

    async def suppressions(self, wanted: SuppressionFilter, after: tuple[str, str] | None, limit: int) -> Suppressed:
        return await self._database.read(lambda tx: suppression.listed(tx, wanted, after, limit))

    async def find_suppressions(self, address_key: str) -> Sequence[Suppression]:
        return await self._database.read(lambda tx: suppression.find(tx, address_key))

    async def put_suppression(self, new: NewSuppression) -> Suppression:
        return await self._database.write(lambda tx: suppression.put(tx, new))

    async def add_suppressions(self, news: Sequence[NewSuppression]) -> int:
        """Adds those that do not stand yet; answers how many."""
        return await self._database.write(lambda tx: suppression.add(tx, news))

    async def lift_suppressions(self, address_key: str, scope: str | None) -> int:
        return await self._database.write(lambda tx: suppression.lift(tx, address_key, scope))

    # ---- templates

    async def published(self) -> Mapping[str, Published]:
        return await self._database.read(templates.published)

    async def find_version(self, name: str, wanted: int | str) -> Closure | None:
        return await self._database.read(lambda tx: templates.find_version(tx, name, wanted))

    async def assets(self, hashes: Iterable[str]) -> Mapping[str, bytes]:
        return await self._database.read(lambda tx: templates.assets(tx, hashes))

    async def versions(self, name: str) -> Sequence[Version]:
        return await self._database.read(lambda tx: templates.versions(tx, name))

    async def add_version(self, new: NewVersion, *, publish: bool) -> Version:
        return await self._database.write(lambda tx: templates.add_version(tx, new, publish))

    async def publish(self, name: str, number: int) -> bool:
        return await self._database.write(lambda tx: templates.publish_version(tx, name, number))

    async def publish_all(self, pairs: Iterable[tuple[str, int]]) -> None:
        await self._database.write(lambda tx: templates.publish_all(tx, pairs))

    async def is_live(self, name: str) -> bool:
        return await self._database.read(lambda tx: templates.is_live(tx, name))

    async def find_asset(self, beginning: str) -> bytes | None:
        return await self._database.read(lambda tx: templates.find_asset(tx, beginning))

    def editing(self) -> AbstractAsyncContextManager[None]:
        """While entered, nobody else enters, in any process: whoever changes templates looks first."""
        return self._database.alone()

    async def summaries(self) -> Sequence[Summary]:
        return await self._database.read(templates.summaries)

    async def delete_template(self, name: str) -> bool:
        return await self._database.write(lambda tx: templates.delete_template(tx, name))

    async def recent_data(self, name: str, most: int) -> Sequence[Mapping[str, Any]]:
        return await self._database.read(lambda tx: templates.recent_data(tx, name, most))

    async def note(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Adds to the audit log."""
        await self._database.write(lambda tx: keys.note(tx, actor, action, subject, detail))


def _in_flight() -> Conflict:
    return Conflict("another request with this idempotency key is still being stored", code="idempotency_in_flight")
