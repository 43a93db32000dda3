"""Lists: notifications by what is known of them, batches, and the project's feed of events."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import BigInteger, RowMapping, cast, func, select, tuple_
from sqlalchemy import Text as SqlText

from notifier.domain.lifecycle import NotificationStatus
from notifier.domain.listing import Batch, Cursor, Feed, Filter, Listed, Page
from notifier.store.engine import Tx
from notifier.store.reading import event_of, open_status, records
from notifier.store.search import matching
from notifier.store.tables import batch, delivery, ended, event, notification

n = notification.c
d = delivery.c


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
