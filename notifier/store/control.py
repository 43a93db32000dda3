"""What people do to notifications that are accepted already: cancel, retry, hold, stop and go on; and how many wait."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from sqlalchemy import RowMapping, bindparam, delete, false, func, insert, not_, select, update

from notifier.domain.delivery import Moved, NewEvent
from notifier.domain.errors import Conflict, Fault, NotFound
from notifier.domain.lifecycle import RETRYABLE, Status
from notifier.domain.listing import Pause
from notifier.domain.notification import Notification
from notifier.store.changes import PAUSED, Changes, load
from notifier.store.dialect import among, insert_or_ignore
from notifier.store.engine import Tx
from notifier.store.listing import statuses
from notifier.store.rows import Row, delivery_row
from notifier.store.tables import delivery, ended, notification, pause

d = delivery.c
n = notification.c


def backlog(tx: Tx, limit: int) -> int:
    """How many deliveries are open, counted up to `limit`, so that the cost does not grow with the queue."""
    return tx.connection.execute(select(func.count()).select_from(select(d.id).limit(limit).subquery())).scalar_one()


def cancel(tx: Tx, project: str, id_: str) -> None:
    """Ends a notification that is not being sent. Raises NotFound, and Conflict saying the status."""
    row = _open_row(tx, id_)  # locked before its recipients are read
    one = _of(tx, project, id_)
    if row is None:
        raise _conflict(id_, _ended_row(tx, id_)["status"], "nothing is left to cancel")
    if row["state"] == "claimed":
        raise _conflict(id_, "sending", "it is being sent at this moment; ask again")
    changes = Changes(tx)
    changes.settle(one, row, Status.CANCELED, "canceled by the caller")
    changes.write()


def retry(tx: Tx, project: str, id_: str) -> None:
    """Queues the recipients who failed, were held or expired again, with a new budget of attempts: at once, or at the
    time that they were scheduled for. A time to be sent by that is over is lifted. Raises NotFound, and Conflict saying
    the status."""
    row = _open_row(tx, id_)  # locked before its recipients are read
    one = _of(tx, project, id_)
    if row is not None and row["state"] == "claimed":
        raise _conflict(id_, "sending", "it is being sent at this moment; ask again")
    moved = [Moved(r.n, Status.QUEUED, None) for r in one.recipients if r.status in RETRYABLE]
    if not moved:
        raise _conflict(id_, statuses(tx, [id_])[id_], "only failed, held and expired recipients can be tried again")
    changes = Changes(tx)
    changes.move(id_, moved)
    for move in moved:
        changes.add_event(one, NewEvent("email.queued", one.recipients[move.n].email, {"reason": "retried"}))
    if row is not None:
        changes.requeue(id_, due_at=tx.now, attempts=0, give_up_at=None)
    changes.write()
    if row is None:
        _reopen(tx, one)


def each(tx: Tx, change: Callable[[Tx, str, str], None], project: str, ids: Iterable[str]) -> int:
    """`cancel` or `retry` of many; answers how many it was possible with. The others are left as they are.

    In one order, and letting go at once of what cannot be changed: whoever changes many must not wait for another who
    waits for them.
    """
    changed = 0
    for id_ in sorted(ids):
        savepoint = tx.connection.begin_nested()
        try:
            change(tx, project, id_)
        except (Conflict, NotFound):
            savepoint.rollback()
        else:
            savepoint.commit()
            changed += 1
    return changed


def hold(tx: Tx, reason: str, limit: int = 500) -> int:
    """Ends up to `limit` open notifications as held, whatever they wait for, until somebody retries them; answers how
    many. Leases do not protect them: in a database that was restored, they are those of workers long gone."""
    rows = tx.connection.execute(_OPEN, {"b_limit": limit}).mappings().all()
    notifications = load(tx, [row["id"] for row in rows])
    changes = Changes(tx)
    for row in rows:
        changes.settle(notifications[row["id"]], row, Status.HELD, reason)
    changes.write()
    return len(rows)


_OPEN = (
    select(d.id, d.lease_no, d.attempts)
    .order_by(d.id)
    .limit(bindparam("b_limit", type_=d.lease_no.type))
    .with_for_update()
)


def _reopen(tx: Tx, one: Notification) -> None:
    """Back from `ended` to the queue. The fence stays as high as it was."""
    row = _ended_row(tx, one.id)
    expires_at = one.expires_at if one.expires_at and one.expires_at > tx.now else None
    fresh: Row = delivery_row(replace(one, expires_at=expires_at), tx.now)
    tx.connection.execute(delete(ended).where(ended.c.id == one.id))
    tx.connection.execute(insert(delivery), {**fresh, "lease_no": row["lease_no"]})
    tx.wake_workers()


def _of(tx: Tx, project: str, id_: str) -> Notification:
    one = load(tx, [id_]).get(id_)
    if one is None or one.project != project:
        raise NotFound(f"there is no notification {id_!r}")
    return one


def _open_row(tx: Tx, id_: str) -> RowMapping | None:
    return tx.connection.execute(select(delivery).where(d.id == id_).with_for_update()).mappings().one_or_none()


def _ended_row(tx: Tx, id_: str) -> RowMapping:
    row = tx.connection.execute(select(ended).where(ended.c.id == id_).with_for_update()).mappings().one_or_none()
    if row is None:
        raise _conflict(id_, "queued", "somebody else changed it at this moment; ask again")
    return row


def _conflict(id_: str, status: str, why: str) -> Conflict:
    return Conflict(f"notification {id_} is {status}: {why}", faults=[Fault("status", status, why)])


# ------------------------------------------------------------------------------------------------------------- pauses


def pauses(tx: Tx, project: str) -> list[Pause]:
    """The pauses of a project, by scope."""
    rows = tx.connection.execute(select(pause).where(pause.c.project == project).order_by(pause.c.scope))
    return [Pause(row.scope, row.reason, row.created_at) for row in rows]


def add_pause(tx: Tx, project: str, scope: str, reason: str | None) -> Pause:
    """Stops a scope; stopped already, it has a new reason. The rows themselves are set aside as they are claimed."""
    row = {"project": project, "scope": scope, "reason": reason, "created_at": tx.now}
    tx.connection.execute(insert_or_ignore(tx, pause), row)
    this = (pause.c.project == project, pause.c.scope == scope)
    tx.connection.execute(update(pause).where(*this).values(reason=reason))
    created_at = tx.connection.execute(select(pause.c.created_at).where(*this)).scalar_one()
    return Pause(scope, reason, created_at)


def remove_pause(tx: Tx, project: str, scope: str) -> bool:
    """Lets a scope go on; `resume` then brings its rows back. False if it was not stopped."""
    return tx.connection.execute(delete(pause).where(pause.c.project == project, pause.c.scope == scope)).rowcount > 0


def resume(tx: Tx, limit: int = 2000) -> int:
    """Queues up to `limit` set-aside rows that no pause holds any more; answers how many.

    A claim that read the pauses just before one was removed sets rows aside behind it: so this is a chore, too.
    """
    projects = tx.connection.execute(select(d.project).where(PAUSED).distinct()).scalars().all()
    count = 0
    for project in projects:
        scopes = [entry.scope for entry in pauses(tx, project)]
        if "all" in scopes or count >= limit:
            continue
        rows = select(d.id).where(PAUSED, d.project == project)
        rows = rows.join(notification, n.id == d.id).where(*_FREE)
        held = {
            f"{kind}s": [scope[len(kind) + 1 :] for scope in scopes if scope.startswith(f"{kind}:")] for kind in _KINDS
        }
        ids = tx.connection.execute(
            rows.order_by(d.id).limit(limit - count).with_for_update(of=delivery), held
        ).scalars()
        wanted = list(ids)
        if wanted:
            tx.connection.execute(update(delivery).where(d.id.in_(wanted), PAUSED).values(state="queued"))
            count += len(wanted)
            tx.wake_workers()
    return count


_KINDS = ("template", "batch")
_FREE = tuple(not_(func.coalesce(among(column, f"{column.name}s"), false())) for column in (n.template, n.batch))
"""Rows that no pause of a template or of a batch holds. Each list is one parameter, however long it is."""
