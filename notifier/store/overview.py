"""What the admin pages ask of the whole service: events counted by minute, how fast mail
goes out, what has changed, and projects.

Events are numbered in about the order of time, so counting walks their primary key and needs no index on time. What
is older than a minute is counted once and kept by the caller; history is counted backwards, a piece at each look, so
that no look takes long however much there is.
"""

import statistics
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, bindparam, cast, func, select

from notifier.domain.admin import Kind, Marks, Speed, Tally
from notifier.store.changes import CLAIMED
from notifier.store.dialect import among
from notifier.store.engine import Tx
from notifier.store.tables import delivery, ended, event, notification, pause, project

REACH: Final = timedelta(days=31)
PIECE: Final = 20_000
"""Rows of history that are counted at one look."""
_SETTLED: Final = timedelta(minutes=1)
_MINUTE = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_KINDS: Mapping[str, Kind] = {
    "email.queued": "accepted",
    "email.scheduled": "accepted",
    "email.sent": "sent",
    "email.deferred": "deferred",
    "email.failed": "failed",
    "email.bounced": "failed",
    "email.expired": "failed",
    "email.held": "failed",
}
e = event.c


def tally(tx: Tx, known: Tally) -> Tally:
    """Brings a tally up to this moment; it is changed in place, and answered."""
    if known.low is None:
        last = tx.connection.execute(select(func.max(e.seq))).scalar_one() or 0
        known.low = known.high = last + 1
    cut = _settled_up_to(tx, known.high)
    _add(known.minutes, _counted(tx, known.high, cut))
    known.high = cut
    known.fresh = {}
    _add(known.fresh, _counted(tx, cut, None))
    if not known.complete:
        first = max(0, known.low - PIECE)
        counts = _counted(tx, first, known.low)
        oldest = int((tx.now - REACH - _EPOCH).total_seconds()) // _MINUTE
        _add(known.minutes, counts)
        known.low = first
        known.complete = first == 0 or any(minute < oldest for minute, _ in counts)
    return known


def _settled_up_to(tx: Tx, first: int) -> int:
    """The number of the first row that may still get older neighbours: open transactions are told of later."""
    young = select(func.min(e.seq)).where(e.seq >= first, e.at >= tx.now - _SETTLED)
    last = select(func.max(e.seq)).where(e.seq >= first)
    found = tx.connection.execute(young).scalar_one()
    if found is not None:
        return int(found)
    top = tx.connection.execute(last).scalar_one()
    return first if top is None else int(top) + 1


def _counted(tx: Tx, first: int, last: int | None) -> dict[tuple[int, str], int]:
    minute = _minute(tx)
    # A retry by a person queues again what was accepted long ago, and names the recipient; an acceptance names nobody.
    statement = select(minute.label("minute"), e.type, func.count()).where(e.seq >= first, e.type.in_(_KINDS))
    if last is not None:
        statement = statement.where(e.seq < last)
    statement = statement.where(~((e.type == "email.queued") & e.recipient.is_not(None)))
    return {(row[0], row[1]): row[2] for row in tx.connection.execute(statement.group_by(minute, e.type))}


def _minute(tx: Tx) -> ColumnElement[Any]:
    if tx.connection.dialect.name == "postgresql":
        return cast(func.floor(func.extract("epoch", e.at) / _MINUTE), Integer)
    return cast(e.at, Integer).op("/")(_MINUTE * 1_000_000)


def _add(into: dict[tuple[int, Kind], int], counts: Mapping[tuple[int, str], int]) -> None:
    for (minute, type_), count in counts.items():
        place = (minute, _KINDS[type_])
        into[place] = into.get(place, 0) + count


_RECENT = select(ended.c.id, ended.c.status, ended.c.at).order_by(ended.c.id.desc()).limit(bindparam("most")).subquery()
_TOOK = (
    select(notification.c.template, notification.c.created_at, notification.c.send_at, _RECENT.c.at)
    .join(_RECENT, _RECENT.c.id == notification.c.id)
    .where(_RECENT.c.status.in_(("sent", "delivered")), notification.c.template.is_not(None))
)


def speeds(tx: Tx, most: int) -> list[Speed]:
    """Of the last `most` notifications that ended, those that were sent: by template, the slowest first."""
    took: dict[str, list[float]] = {}
    for template, created_at, send_at, at in tx.connection.execute(_TOOK, {"most": most}):
        due = max(created_at, send_at) if send_at else created_at
        took.setdefault(template, []).append(max(0.0, (at - due).total_seconds()))
    found = [Speed(name, len(all_), statistics.median(all_), max(all_)) for name, all_ in took.items()]
    return sorted(found, key=lambda one: one.median, reverse=True)


_NEAR: Final = 200
"""Rows at the end of the event table that are counted: one with a lower number may be committed after a higher one."""
_TOP = select(func.max(e.seq)).scalar_subquery()
_WHOLE = (
    select(_TOP),
    select(func.count()).where(e.seq > _TOP - _NEAR),
    select(func.count()).select_from(delivery).where(CLAIMED),  # what begins to be sent leaves no event
    select(func.count(), func.max(pause.c.created_at)),
)
_EVENTS_OF = select(e.notification, func.count()).where(among(e.notification, "ids")).group_by(e.notification)
_STATE_OF = select(delivery.c.id, delivery.c.state).where(among(delivery.c.id, "ids"))


def marks(tx: Tx, ids: Collection[str]) -> Marks:
    whole = tuple(value for statement in _WHOLE for value in tx.connection.execute(statement).one())
    if not ids:
        return Marks(whole, {})
    states = {row[0]: row[1] for row in tx.connection.execute(_STATE_OF, {"ids": ids})}
    events = tx.connection.execute(_EVENTS_OF, {"ids": ids})
    return Marks(whole, {id_: (count, states.get(id_), *whole[-2:]) for id_, count in events})


def projects(tx: Tx) -> list[str]:
    return list(tx.connection.execute(select(project.c.name).order_by(project.c.name)).scalars())
