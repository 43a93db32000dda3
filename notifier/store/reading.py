"""Reading: where notifications stand, and their timelines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import RowMapping, bindparam, select

from notifier.domain.lifecycle import NotificationStatus, Status, waiting
from notifier.domain.notification import Event, Notification, Record
from notifier.store.changes import load, pause_of, pauses_of
from notifier.store.engine import Tx
from notifier.store.tables import attachment, delivery, ended, event

_SELECT_DELIVERIES = select(delivery).where(delivery.c.id.in_(bindparam("ids", expanding=True)))
_SELECT_ENDED = select(ended).where(ended.c.id.in_(bindparam("ids", expanding=True)))


def records(tx: Tx, ids: Sequence[str]) -> dict[str, Record]:
    """Where the notifications of these ids stand, by id; unknown ids are left out."""
    notifications = load(tx, ids)
    if not notifications:
        return {}
    open_ = {row["id"]: row for row in tx.connection.execute(_SELECT_DELIVERIES, {"ids": ids}).mappings()}
    over = {row["id"]: row for row in tx.connection.execute(_SELECT_ENDED, {"ids": ids}).mappings()}
    pauses = pauses_of(tx) if open_ else frozenset()
    moved = [id_ for id_ in notifications if id_ not in over and id_ not in open_]
    if moved:  # PostgreSQL: back from `ended` to the queue (a retry) between the two questions
        open_ |= {row["id"]: row for row in tx.connection.execute(_SELECT_DELIVERIES, {"ids": moved}).mappings()}
    return {
        id_: _ended(one, over[id_]) if id_ in over else _open(tx, one, open_[id_], pauses)
        for id_, one in notifications.items()
        if id_ in over or id_ in open_
    }


def _ended(one: Notification, row: RowMapping) -> Record:
    return Record(one, row["status"], final=True, attempts=row["attempts"], error=_error(one))


def _open(tx: Tx, one: Notification, row: RowMapping, pauses: frozenset[tuple[str, str]]) -> Record:
    claimed = row["state"] == "claimed"
    if row["expires_at"] != one.expires_at:  # lifted by a retry
        one = replace(one, expires_at=row["expires_at"])
    return Record(
        one,
        open_status(row, scheduled=one.send_at is not None and one.send_at > tx.now),
        final=False,
        attempts=row["attempts"],
        next_attempt_at=None if claimed else row["due_at"],
        error=_error(one),
        waits_for=None if claimed else pause_of(pauses, one),
    )


def open_status(row: RowMapping, *, scheduled: bool) -> NotificationStatus:
    return waiting(claimed=row["state"] == "claimed", tried=row["attempts"] > 0, scheduled=scheduled)


_TROUBLED = frozenset({Status.DEFERRED, Status.FAILED, Status.HELD, Status.BOUNCED, Status.EXPIRED})


def _error(one: Notification) -> str | None:
    """What stands between this notification and its recipients, in the words of the first of them."""
    return next((r.reply for r in one.recipients if r.status in _TROUBLED and r.reply), None)


_SELECT_EVENTS = select(event).where(event.c.notification == bindparam("id")).order_by(event.c.seq)


def events(tx: Tx, id_: str) -> list[Event]:
    """The timeline of a notification, oldest first."""
    return [event_of(row) for row in tx.connection.execute(_SELECT_EVENTS, {"id": id_}).mappings()]


def event_of(row: RowMapping) -> Event:
    return Event(row["seq"], row["notification"], row["type"], row["at"], row["recipient"], row["detail"], row["tx"])


_SELECT_FILES = select(attachment).where(attachment.c.hash.in_(bindparam("hashes", expanding=True)))


def files(tx: Tx, hashes: Iterable[str]) -> Mapping[str, bytes]:
    """The contents of attachments, by hash."""
    return {row.hash: row.content for row in tx.connection.execute(_SELECT_FILES, {"hashes": list(hashes)})}
