"""How much waits, by lane: for metrics, asked now and then."""

from collections.abc import Mapping

from sqlalchemy import func, select

from notifier.domain.delivery import PRIORITIES
from notifier.store.changes import QUEUED
from notifier.store.engine import Tx
from notifier.store.tables import delivery

d = delivery.c

_BACKLOG = (
    select(d.project, d.priority, func.count().label("rows"), func.min(d.due_at).label("oldest"))
    .where(QUEUED)
    .group_by(d.project, d.priority)
)


def backlog(tx: Tx) -> Mapping[tuple[str, str], tuple[int, float]]:
    """Queued rows, and the seconds for which the oldest has been due, by (project, priority)."""
    return {
        (row.project, PRIORITIES[row.priority]): (row.rows, max(0.0, (tx.now - row.oldest).total_seconds()))
        for row in tx.connection.execute(_BACKLOG)
    }
