"""Lists: notifications by what is known of them, batches, and the project's feed of events."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, RowMapping, Select, and_, cast, func, or_, select, tuple_
from sqlalchemy import Text as SqlText

from notifier.domain.lifecycle import OPEN_STATUSES, NotificationStatus
from notifier.domain.listing import Batch, Cursor, Feed, Filter, Listed, Page
from notifier.store.changes import CLAIMED
from notifier.store.engine import Tx
from notifier.store.reading import event_of, open_status, records
from notifier.store.tables import batch, delivery, ended, event, notification, recipient, tag

n = notification.c
d = delivery.c

_SKEW = timedelta(minutes=5)
"""How far an id's time may be from its notification's `created_at`: it is given later, by the same clock."""


def listed(tx: Tx, project: str, wanted: Filter, page: Page) -> Listed:
    """A page of a project's notifications."""
    newer = page.before is not None and page.after is None
    ids = matching(tx, project, wanted, replace(page, limit=page.limit + 1))
    has_more = len(ids) > page.limit
    ids = ids[: page.limit]
    if newer:
        ids.reverse()
    found = records(tx, ids)
    return Listed([found[id_] for id_ in ids if id_ in found], has_more)


def matching(tx: Tx, project: str, wanted: Filter, page: Page) -> list[str]:
    """The ids of a page: newest first, or with `before` the oldest of the newer ones first."""
    id_, statement = _filtered(tx, project, wanted)
    newer = page.before is not None and page.after is None
    if page.after is not None:
        statement = statement.where(id_ < page.after)
    if page.before is not None:
        statement = statement.where(id_ > page.before)
    statement = statement.order_by(id_.asc() if newer else id_.desc()).limit(page.limit)
    return list(tx.connection.execute(statement).scalars())


def _filtered(tx: Tx, project: str, wanted: Filter) -> tuple[Column[str], Select[str]]:
    """The ids that are wanted, and the column that they are read in the order of: that of the table whose index
    narrows the search most."""
    joined = notification.select().with_only_columns(n.id).where(n.project == project)
    id_: Column[str] = n.id
    if wanted.status is not None:
        table, conditions = _of_status(tx, wanted.status)
        joined = joined.join(table, table.c.id == n.id).where(table.c.project == project, *conditions)
        id_ = table.c.id
    if wanted.recipient is not None:
        joined = joined.join(recipient, recipient.c.notification == n.id)
        joined = joined.where(recipient.c.address_key == wanted.recipient)
        id_ = recipient.c.notification
    if wanted.tag is not None:
        joined = joined.join(tag, tag.c.notification == n.id).where(tag.c.project == project, tag.c.tag == wanted.tag)
        id_ = tag.c.notification
    for column, value in ((n.template, wanted.template), (n.reference, wanted.reference), (n.batch, wanted.batch)):
        if value is not None:
            joined = joined.where(column == value)
            id_ = id_ if column is n.template else n.id
    if wanted.created_after is not None:
        joined = joined.where(n.created_at > wanted.created_after, id_ > _id_at(wanted.created_after - _SKEW))
    if wanted.created_before is not None:
        joined = joined.where(n.created_at < wanted.created_before, id_ < _id_at(wanted.created_before + _SKEW))
    return id_, joined.with_only_columns(id_)


def _id_at(at: datetime) -> str:
    """The least UUIDv7 of an instant: ids are in the order of time, so a time is a place among them."""
    milliseconds = min(max(0, int(at.timestamp() * 1000)), 2**48 - 1)
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


def _of_status(tx: Tx, status: NotificationStatus) -> tuple[Any, list[ColumnElement[bool]]]:
    if status not in OPEN_STATUSES:
        return ended, [ended.c.status == status]
    if status == "sending":
        return delivery, [CLAIMED]
    conditions: list[ColumnElement[bool]] = [~CLAIMED]
    if status == "deferred":
        return delivery, [*conditions, d.attempts > 0]
    later = and_(n.send_at.is_not(None), n.send_at > tx.now)
    return delivery, [
        *conditions,
        d.attempts == 0,
        later if status == "scheduled" else or_(~later, n.send_at.is_(None)),
    ]


_OPEN_STATES = (d.id, d.state, d.attempts, n.send_at)


def statuses(tx: Tx, ids: Sequence[str]) -> dict[str, NotificationStatus]:
    """Where notifications stand, in a word each, by id."""
    if not ids:
        return {}
    open_rows = tx.connection.execute(
        select(*_OPEN_STATES).join(notification, n.id == d.id).where(d.id.in_(ids))
    ).mappings()
    found: dict[str, NotificationStatus] = {row["id"]: _open_status(row, tx.now) for row in open_rows}
    over = tx.connection.execute(select(ended.c.id, ended.c.status).where(ended.c.id.in_(ids)))
    found.update({row.id: row.status for row in over})
    return found


def _open_status(row: RowMapping, now: datetime) -> NotificationStatus:
    return open_status(row, scheduled=row["send_at"] is not None and row["send_at"] > now)


def find_batch(tx: Tx, project: str, id_: str) -> Batch | None:
    row = tx.connection.execute(select(batch).where(batch.c.id == id_, batch.c.project == project)).mappings().first()
    return None if row is None else Batch(row["id"], row["created_at"], row["notifications"])


def feed(tx: Tx, project: str, after: Cursor, types: Sequence[str], limit: int) -> Feed:
    """The project's events behind a cursor, in an order in which nothing ever appears before what was read.

    On PostgreSQL a row's number says nothing of when it appears: its transaction may commit late. So rows are in the
    order of transactions first, and those of a transaction that is not older than every open one are left for later.
    """
    e = event.c
    statement = select(event).where(e.project == project, tuple_(e.tx, e.seq) > tuple_(after.tx, after.seq))
    if types:
        statement = statement.where(e.type.in_(types))
    if tx.connection.dialect.name == "postgresql":
        oldest_open = func.pg_snapshot_xmin(func.pg_current_snapshot())
        statement = statement.where(e.tx < cast(cast(oldest_open, SqlText), BigInteger))
    rows = tx.connection.execute(statement.order_by(e.tx, e.seq).limit(limit + 1)).mappings().all()
    events = [event_of(row) for row in rows[:limit]]
    end = Cursor(events[-1].tx, events[-1].seq) if events else after
    return Feed(events, end, len(rows) > limit)
