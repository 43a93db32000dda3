"""What the queue reads of notifications, and what it writes of many in one statement a table."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, bindparam, delete, insert, literal_column, select, update

from notifier.domain.delivery import Moved, NewEvent
from notifier.domain.lifecycle import OPEN, NotificationStatus, Status, settled
from notifier.domain.notification import Notification, Recipient
from notifier.store.dialect import among
from notifier.store.engine import Tx
from notifier.store.outbox import add_events
from notifier.store.rows import Row, ended_row, event_row, notification_of, recipient_of
from notifier.store.tables import delivery, ended, notification, pause, recipient

d = delivery.c

# State names stand in the SQL as literals, because a partial index serves only a query that repeats its condition.
QUEUED: ColumnElement[bool] = d.state == literal_column("'queued'")
CLAIMED: ColumnElement[bool] = d.state == literal_column("'claimed'")
PAUSED: ColumnElement[bool] = d.state == literal_column("'paused'")


def with_moves(recipients: Iterable[Recipient], moved: Iterable[Moved]) -> tuple[Recipient, ...]:
    """Recipients as they stand after those moves."""
    by_n = {move.n: move for move in moved}
    return tuple(replace(r, status=by_n[r.n].status, reply=by_n[r.n].reply) if r.n in by_n else r for r in recipients)


# ----------------------------------------------------------------------------------------------------------- loading

_SELECT_NOTIFICATIONS = select(notification).where(among(notification.c.id, "ids"))
_SELECT_RECIPIENTS = (
    select(recipient).where(among(recipient.c.notification, "ids")).order_by(recipient.c.notification, recipient.c.n)
)


def load(tx: Tx, ids: Sequence[str]) -> dict[str, Notification]:
    """The notifications with their recipients, by id."""
    if not ids:
        return {}
    people: dict[str, list[Recipient]] = {}
    for row in tx.connection.execute(_SELECT_RECIPIENTS, {"ids": ids}).mappings():
        people.setdefault(row["notification"], []).append(recipient_of(row))
    rows = tx.connection.execute(_SELECT_NOTIFICATIONS, {"ids": ids}).mappings()
    return {row["id"]: notification_of(row, people.get(row["id"], ())) for row in rows}


def pauses_of(tx: Tx) -> frozenset[tuple[str, str]]:
    """Every pause: (project, scope)."""
    return frozenset((row.project, row.scope) for row in tx.connection.execute(select(pause.c.project, pause.c.scope)))


def pause_of(pauses: frozenset[tuple[str, str]], one: Notification) -> str | None:
    """The scope of the pause that holds a notification, or None."""
    if not pauses:
        return None
    scopes = ("all", f"template:{one.template}", f"batch:{one.batch}")
    return next((scope for scope in scopes if (one.project, scope) in pauses), None)


# ----------------------------------------------------------------------------------------------------------- changing

_UPDATE_RECIPIENT = (
    update(recipient)
    .where(recipient.c.notification == bindparam("b_id"), recipient.c.n == bindparam("b_n"))
    .values(status=bindparam("b_status"), reply=bindparam("b_reply"))
)
_REQUEUE = (
    update(delivery)
    .where(d.id == bindparam("b_id"))
    .values(
        state="queued",
        owner=None,
        lease_until=None,
        transmitting=False,
        due_at=bindparam("b_due_at"),
        attempts=bindparam("b_attempts"),
        crashes=bindparam("b_crashes"),
        give_up_at=bindparam("b_give_up_at"),
    )
)


class Changes:
    """Collects what happens to many notifications and writes it in one statement a table."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._moved: list[Row] = []
        self._ended: list[Row] = []
        self._events: list[Row] = []
        self._requeued: list[Row] = []
        self._paused: list[str] = []

    def add_event(self, one: Notification, new: NewEvent) -> None:
        self.event(one.id, one.project, new)

    def event(self, id_: str, project: str, new: NewEvent) -> None:
        self._events.append(event_row(id_, project, new.type, self._tx.now, new.recipient, new.detail))

    def move(self, id_: str, moved: Iterable[Moved]) -> None:
        self._moved.extend(
            {"b_id": id_, "b_n": move.n, "b_status": move.status.value, "b_reply": move.reply} for move in moved
        )

    def end(self, one: Notification, status: NotificationStatus, attempts: int, lease_no: int) -> None:
        self.end_row(one.id, one.project, status, attempts, lease_no)

    def end_row(self, id_: str, project: str, status: NotificationStatus, attempts: int, lease_no: int) -> None:
        """Takes the row off the hot table."""
        self._ended.append(ended_row(id_, project, status, attempts, lease_no, self._tx.now))

    def requeue(
        self, id_: str, *, due_at: datetime, attempts: int, give_up_at: datetime | None, crashes: int = 0
    ) -> None:
        if due_at <= self._tx.now:
            self._tx.wake_workers()
        self._requeued.append(
            {
                "b_id": id_,
                "b_due_at": due_at,
                "b_attempts": attempts,
                "b_crashes": crashes,
                "b_give_up_at": give_up_at,
            }
        )

    def pause(self, id_: str) -> None:
        self._paused.append(id_)

    def settle(self, one: Notification, row: RowMapping, status: Status, reason: str) -> None:
        """Ends a notification by moving everybody still open to one status, with an event each."""
        moved = [Moved(r.n, status, reason) for r in one.recipients if r.status in OPEN]
        self.move(one.id, moved)
        for r in one.recipients:
            if r.status in OPEN:
                self.add_event(one, NewEvent(f"email.{status}", r.email, {"reason": reason}))
        after = with_moves(one.recipients, moved)
        self.end(one, settled(r.status for r in after), row["attempts"], row["lease_no"])

    def write(self) -> None:
        run = self._tx.connection.execute
        if self._moved:
            run(_UPDATE_RECIPIENT, self._moved)
        if self._ended:
            run(_DELETE, {"ids": [row["id"] for row in self._ended]})
            run(insert(ended), self._ended)
        if self._requeued:
            run(_REQUEUE, self._requeued)
        if self._paused:
            run(_PAUSE, {"ids": self._paused})
        if self._events:
            add_events(self._tx, self._events)


_DELETE = delete(delivery).where(among(d.id, "ids"))
_PAUSE = update(delivery).where(among(d.id, "ids")).values(state="paused", owner=None, lease_until=None)
