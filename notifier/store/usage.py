"""How much each template is used: its events, counted by hour.

Counting walks the event table's primary key, a piece at each look: forward to what is settled, and backward until it
has reached far enough. So no look takes long however much there is, and no write of an acceptance or a finish knows
of it. What somebody sent to try a template is left out.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, cast, func, select

from notifier.domain.key import TRIAL
from notifier.domain.usage import Usage, Use
from notifier.store.engine import Tx
from notifier.store.tables import event, notification

REACH: Final = timedelta(days=7)
PIECE: Final = 10_000
"""Rows that are counted at one look: some 10 ms."""
_SETTLED: Final = timedelta(minutes=1)
_HOUR: Final = 3600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_USES: Final[Mapping[str, Use]] = {
    "email.sent": "sent",
    "email.failed": "failed",
    "email.bounced": "failed",
    "email.expired": "failed",
    "email.held": "failed",
}
e, n = event.c, notification.c


def usage(tx: Tx, known: Usage) -> Usage:
    """Counts one piece more; `known` is changed in place, and answered."""
    last = tx.connection.execute(select(func.max(e.seq))).scalar_one() or 0
    high = known.high if known.low is not None else _settled(tx, max(0, last - PIECE), last + 1)
    low = known.low if known.low is not None else high
    end = min(high + PIECE, last + 1)
    ahead = _settled(tx, high, end)
    first, complete = low, known.complete
    if ahead == high and not complete:
        first = max(0, low - PIECE)
        oldest = tx.connection.execute(select(func.min(e.at)).where(e.seq >= first, e.seq < low)).scalar_one()
        complete = first == 0 or (oldest is not None and oldest < tx.now - REACH)
    counts = _counted(tx, high, ahead) if ahead > high else _counted(tx, first, low)
    for place, count in counts.items():
        known.hours[place] = known.hours.get(place, 0) + count
    known.low, known.high, known.complete = first, ahead, complete
    known.current = ahead < end or end > last
    if known.complete and known.current:
        for place in [place for place in known.hours if place[0] < first_hour(tx.now)]:
            del known.hours[place]
    return known


def first_hour(now: datetime) -> int:
    """The hour from which on uses are told at this moment."""
    return int((now - REACH - _EPOCH).total_seconds()) // _HOUR


def _settled(tx: Tx, first: int, end: int) -> int:
    """Up to which row of a piece nothing older can be added any more. PostgreSQL numbers rows before their
    transactions are over; SQLite has one writer."""
    if tx.connection.dialect.name != "postgresql":
        return end
    young = select(func.min(e.seq)).where(e.seq >= first, e.seq < end, e.at >= tx.now - _SETTLED)
    found = tx.connection.execute(young).scalar_one()
    return end if found is None else int(found)


def _counted(tx: Tx, first: int, end: int) -> dict[tuple[int, str, Use], int]:
    hour = _hour(tx)
    statement = (
        select(hour.label("hour"), n.template, e.type, func.count())
        .join(notification, n.id == e.notification)
        .where(e.seq >= first, e.seq < end, e.type.in_(_USES), n.template.is_not(None), n.key.not_like(f"{TRIAL}%"))
        .group_by(hour, n.template, e.type)
    )
    found: dict[tuple[int, str, Use], int] = {}
    for at, template, type_, count in tx.connection.execute(statement):
        place = (at, template, _USES[type_])
        found[place] = found.get(place, 0) + count
    return found


def _hour(tx: Tx) -> ColumnElement[Any]:
    if tx.connection.dialect.name == "postgresql":
        return cast(func.floor(func.extract("epoch", e.at) / _HOUR), Integer)
    return cast(e.at, Integer).op("/")(_HOUR * 1_000_000)
