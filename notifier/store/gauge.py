"""How much waits, by lane: for metrics, asked now and then."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, literal_column, select

from notifier.domain.delivery import PRIORITIES
from notifier.store.engine import Tx
from notifier.store.queue import DUE, LANES, SUSPECT
from notifier.store.tables import delivery

COUNTED: Final = 10_000
"""Rows of a lane that are counted: beyond it nobody decides otherwise, and the cost must not grow with the queue."""

d = delivery.c
_MOST = bindparam("b_most", type_=d.lease_no.type)

_LANE = LANES.subquery("waiting")
_OF_LANE = (
    select(literal_column("1"))
    .where(DUE, d.project == _LANE.c.project, d.priority == _LANE.c.priority)
    .order_by(d.due_at, d.id)  # an order that the index has keeps the planner to it
    .limit(_MOST)
    .correlate(_LANE)
    .subquery()
)
_BACKLOG = select(
    _LANE.c.project,
    _LANE.c.priority,
    _LANE.c.due_at.label("oldest"),
    select(func.count()).select_from(_OF_LANE).correlate(_LANE).scalar_subquery().label("rows"),
)
_FIRST_SUSPECTS = (
    select(d.project, d.priority, d.due_at).where(SUSPECT).order_by(d.due_at, d.id).limit(_MOST).subquery()
)
_SUSPECTS = select(
    _FIRST_SUSPECTS.c.project,
    _FIRST_SUSPECTS.c.priority,
    func.min(_FIRST_SUSPECTS.c.due_at).label("oldest"),
    func.count().label("rows"),
).group_by(_FIRST_SUSPECTS.c.project, _FIRST_SUSPECTS.c.priority)


def backlog(tx: Tx, most: int = COUNTED) -> Mapping[tuple[str, str], tuple[int, float]]:
    """Queued rows, counted up to `most`, and the seconds for which the oldest has been due, by (project, priority)."""
    found: dict[tuple[str, str], tuple[int, datetime]] = {}
    for statement in (_BACKLOG, _SUSPECTS):
        for row in tx.connection.execute(statement, {"b_most": most}):
            lane = row.project, PRIORITIES[row.priority]
            rows, oldest = found.get(lane, (0, row.oldest))
            found[lane] = min(most, rows + row.rows), min(oldest, row.oldest)
    return {lane: (rows, max(0.0, (tx.now - oldest).total_seconds())) for lane, (rows, oldest) in found.items()}
