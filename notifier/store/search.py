"""Which notifications a filter finds, newest first, in a time that does not grow with all that there are.

A filter names up to four sets that an index of ours holds in the order of ids: of a status, an address, a tag, and of
a reference, a batch, a template or the whole project. The smallest, as far as a short count tells, is read in that
order, and each id is looked up in the others. Planners without statistics would read a whole project instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, FromClause, Select, and_, func, or_, select

from notifier.domain.lifecycle import OPEN_STATUSES, NotificationStatus
from notifier.domain.listing import Filter, Page
from notifier.store.changes import CLAIMED
from notifier.store.engine import Tx
from notifier.store.tables import delivery, ended, notification, recipient, tag

n = notification.c
d = delivery.c

_SKEW: Final = timedelta(minutes=5)
"""How far an id's time may be from its notification's `created_at`: it is given later, by the same clock."""
_COUNTED: Final = 2_000
"""Rows of a set that are counted for comparing it with the others."""

Conditions = list[ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class _Set:
    """The ids in a column of a table where these conditions hold; read in their order through an index."""

    table: FromClause
    id: Column[str]
    conditions: Conditions

    def size(self, tx: Tx) -> int:
        some = select(self.id).where(*self.conditions).limit(_COUNTED).subquery()
        return int(tx.connection.execute(select(func.count()).select_from(some)).scalar_one())

    def has(self, id_: Column[str]) -> ColumnElement[bool]:
        """Looked up for each id: the OFFSET keeps planners from making a join of it that reads the whole set."""
        return select(self.id).where(self.id == id_, *self.conditions).offset(0).exists()


def matching(tx: Tx, project: str, wanted: Filter, page: Page) -> list[str]:
    """The ids of a page: newest first, or with `before` the oldest of the newer ones first."""
    sets = _sets(tx, project, wanted)
    first = sets[0] if len(sets) == 1 else min(sets, key=lambda one: one.size(tx))
    rest = _rest(tx, project, wanted)
    statement: Select[Any] = select(first.id).where(*first.conditions, *_between(first.id, wanted))
    for other in sets:
        if other is first or other.table is notification:
            continue
        statement = statement.where(other.has(first.id))
    if first.table is notification:
        statement = statement.where(*rest)
    elif rest or sets[-1].table is notification:  # looked up once, for all that is asked of it
        itself = sets[-1].conditions if sets[-1].table is notification else []
        statement = statement.where(_Set(notification, n.id, [*itself, *rest]).has(first.id))
    newer = page.before is not None and page.after is None
    if page.after is not None:
        statement = statement.where(first.id < page.after)
    if page.before is not None:
        statement = statement.where(first.id > page.before)
    if first.table is recipient:  # an address may stand in one mail twice
        statement = statement.group_by(first.id)
    statement = statement.order_by(first.id.asc() if newer else first.id.desc()).limit(page.limit)
    return list(tx.connection.execute(statement).scalars())


def _sets(tx: Tx, project: str, wanted: Filter) -> Sequence[_Set]:
    """Those that the filter names, at least one."""
    sets = []
    if wanted.status is not None:
        sets.append(_of_status(tx.now, project, wanted.status))
    if wanted.recipient is not None:
        address = recipient.c.address_key == wanted.recipient
        sets.append(_Set(recipient, recipient.c.notification, [address]))
    if wanted.tag is not None:
        sets.append(_Set(tag, tag.c.notification, [tag.c.project == project, tag.c.tag == wanted.tag]))
    ours = n.project == project
    if wanted.reference is not None:
        sets.append(_Set(notification, n.id, [ours, n.reference == wanted.reference]))
    elif wanted.batch is not None:
        sets.append(_Set(notification, n.id, [n.batch == wanted.batch]))
    elif wanted.template is not None:
        sets.append(_Set(notification, n.id, [ours, n.template == wanted.template]))
    return sets or [_Set(notification, n.id, [ours])]


def _of_status(now: datetime, project: str, status: NotificationStatus) -> _Set:
    if status not in OPEN_STATUSES:
        return _Set(ended, ended.c.id, [ended.c.project == project, ended.c.status == status])
    conditions = [_unread(d.project) == project]
    if status == "sending":
        return _Set(delivery, d.id, [*conditions, CLAIMED])
    conditions += [~CLAIMED, d.attempts > 0 if status == "deferred" else d.attempts == 0]
    if status == "scheduled":
        conditions.append(d.due_at > now)
    return _Set(delivery, d.id, conditions)


def _rest(tx: Tx, project: str, wanted: Filter) -> Conditions:
    """What only the notification itself tells. None of it is to choose the way into the table."""
    rest: Conditions = []
    if wanted.recipient is not None or wanted.batch is not None:
        rest.append(_unread(n.project) == project)
    if wanted.status in ("scheduled", "queued"):
        later = and_(n.send_at.is_not(None), n.send_at > tx.now)
        rest.append(later if wanted.status == "scheduled" else or_(n.send_at.is_(None), n.send_at <= tx.now))
    if wanted.template is not None and (wanted.reference is not None or wanted.batch is not None):
        rest.append(_unread(n.template) == wanted.template)
    if wanted.batch is not None and wanted.reference is not None:
        rest.append(n.batch.is_not(None) & (n.batch == wanted.batch))
    if wanted.created_after is not None:
        rest.append(n.created_at > wanted.created_after)
    if wanted.created_before is not None:
        rest.append(n.created_at < wanted.created_before)
    return rest


def _unread(column: Column[Any]) -> ColumnElement[Any]:
    """A column as no index has it."""
    return func.coalesce(column, "")


def _between(id_: Column[str], wanted: Filter) -> Conditions:
    """Ids are in the order of time, so a time is a place among them."""
    conditions: Conditions = []
    if wanted.created_after is not None:
        conditions.append(id_ > _id_at(wanted.created_after, -_SKEW))
    if wanted.created_before is not None:
        conditions.append(id_ < _id_at(wanted.created_before, _SKEW))
    return conditions


def _id_at(at: datetime, skew: timedelta) -> str:
    """The least UUIDv7 of an instant and some more, which may lie beyond all dates."""
    milliseconds = min(max(0, int((at.timestamp() + skew.total_seconds()) * 1000)), 2**48 - 1)
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"
