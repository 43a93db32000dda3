"""The queue on `delivery`: claim with a lease, finish behind the fence, give back.

Every function runs in one transaction. ``FOR UPDATE SKIP LOCKED`` is what lets workers share PostgreSQL; SQLite has
one writer and leaves it out by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    RowMapping,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    not_,
    select,
    update,
)

from notifier.domain.delivery import Claimed, Finish, Lane, Moved, NewEvent, share_out
from notifier.domain.lifecycle import OPEN, Status, settled
from notifier.domain.notification import Notification
from notifier.domain.times import rfc3339
from notifier.store import suppression
from notifier.store.changes import CLAIMED, QUEUED, Changes, load, pause_of, pauses_of, with_moves
from notifier.store.dialect import among
from notifier.store.engine import Tx
from notifier.store.tables import delivery, ended

d = delivery.c

DUE = and_(QUEUED, d.crashes == literal_column("0"))
SUSPECT = and_(QUEUED, d.crashes > literal_column("0"))


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim brought: rows to be sent side by side, at most one suspect, when the next row is due if that is
    later than now, and the database's time."""

    claimed: Sequence[Claimed]
    suspect: Claimed | None
    next_due_at: datetime | None
    now: datetime


# ---------------------------------------------------------------------------------------------------------- claiming


def _lanes_statement() -> Any:
    """The first row of every lane, by skipping from lane to lane in the index (a loose index scan).

    A comparison of pairs would say it in one, and SQLite uses only the first column of such a one.
    """
    lane = select(_first_row(delivery).subquery()).cte("lane", recursive=True)
    n = delivery.alias("n")
    lower = _first_row(n).where(n.c.project == lane.c.project, n.c.priority > lane.c.priority)
    others = _first_row(n).where(n.c.project > lane.c.project)
    following = func.coalesce(
        *(step.with_only_columns(n.c.id).correlate(lane).scalar_subquery() for step in (lower, others))
    )
    lane = lane.union_all(
        select(d.id, d.project, d.priority, d.due_at).select_from(lane.join(delivery, d.id == following))
    )
    return select(lane.c.project, lane.c.priority, lane.c.due_at)


def _first_row(table: FromClause) -> Select[Any]:
    """The first row due of a table like `delivery`, in the order of the lanes."""
    c = table.c
    queued = and_(c.state == literal_column("'queued'"), c.crashes == literal_column("0"))
    order = (c.project, c.priority, c.due_at, c.id)
    return select(c.id, c.project, c.priority, c.due_at).where(queued).order_by(*order).limit(literal_column("1"))


LANES = _lanes_statement()

_LEASED: dict[str, Any] = {
    "state": "claimed",
    "owner": bindparam("b_owner"),
    "lease_until": bindparam("b_lease_until", type_=d.lease_until.type),
    "lease_no": d.lease_no + 1,
    "transmitting": False,
}


def _claim_statement(*conditions: ColumnElement[bool], order: Sequence[Any]) -> Any:
    due = (
        select(d.id)
        .where(*conditions, d.due_at <= bindparam("b_now", type_=d.due_at.type))
        .order_by(*order)
        .limit(bindparam("b_limit", type_=d.lease_no.type))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return update(delivery).where(d.id.in_(select(due.c.id))).values(_LEASED).returning(*delivery.c)


_CLAIM_LANE = _claim_statement(
    DUE, d.project == bindparam("b_project"), d.priority == bindparam("b_priority"), order=(d.due_at, d.id)
)
_CLAIM_SUSPECT = _claim_statement(SUSPECT, order=(d.due_at, d.id))
_CLAIM_SIMULATED = _claim_statement(DUE, literal_column("delivery.simulated"), order=(d.due_at, d.id))
_NEXT_SUSPECT = select(d.due_at).where(SUSPECT).order_by(d.due_at).limit(1)


def claim(tx: Tx, owner: str, lease: float, limit: int, turn: int, suspect: bool) -> Claim:
    """Leases up to `limit` due rows to `owner` for `lease` seconds, lane by lane, and with `suspect` one row that a
    worker was lost with. Suspects are claimed one at a time, so that no neighbour collects their crashes."""
    leased = {"b_now": tx.now, "b_owner": owner, "b_lease_until": tx.now + timedelta(seconds=lease)}
    lanes = [Lane(row.project, row.priority, row.due_at) for row in tx.connection.execute(LANES)]
    rows: list[RowMapping] = []

    def take(lane: Lane, share: int) -> int:
        parameters = {**leased, "b_project": lane.project, "b_priority": lane.priority, "b_limit": share}
        got = tx.connection.execute(_CLAIM_LANE, parameters).mappings().all()
        rows.extend(got)
        return len(got)

    share_out([lane for lane in lanes if lane.due_at <= tx.now], limit, turn, take)
    later = [lane.due_at for lane in lanes if lane.due_at > tx.now]
    alone: Sequence[RowMapping] = ()
    if suspect:
        alone = tx.connection.execute(_CLAIM_SUSPECT, {**leased, "b_limit": 1}).mappings().all()
        if not alone and (due_at := tx.connection.execute(_NEXT_SUSPECT).scalar_one_or_none()) is not None:
            later.append(due_at)
    lone, ready = _sendable(tx, alone), _sendable(tx, rows)
    if len(ready) < len(rows):
        later.append(tx.now)  # what was settled here took the place of rows behind it: claim again at once
    return Claim(ready, lone[0] if lone else None, min(later, default=None), tx.now)


def claim_simulated(tx: Tx, owner: str, lease: float, limit: int) -> Claim:
    """As `claim`, of what needs no relay, while there is none. Nobody waits for it in lanes."""
    until = tx.now + timedelta(seconds=lease)
    leased = {"b_now": tx.now, "b_owner": owner, "b_lease_until": until, "b_limit": limit}
    rows = tx.connection.execute(_CLAIM_SIMULATED, leased).mappings().all()
    return Claim(_sendable(tx, rows), None, None, tx.now)


def _sendable(tx: Tx, rows: Sequence[RowMapping]) -> list[Claimed]:
    """Of the rows just leased, those to be sent. What has expired, is paused, or may not be written to any more is
    settled here, in the same transaction: nobody ever sees it as being sent."""
    if not rows:
        return []
    notifications = load(tx, [row["id"] for row in rows])
    pauses = pauses_of(tx)
    open_keys = {r.address_key for one in notifications.values() for r in one.recipients if r.status in OPEN}
    suppressions = suppression.reasons(tx, open_keys)
    changes = Changes(tx)
    ready: list[Claimed] = []
    for row in sorted(rows, key=lambda row: (row["due_at"], row["id"])):
        one = notifications[row["id"]]
        if row["expires_at"] is not None and row["expires_at"] <= tx.now:
            changes.settle(one, row, Status.EXPIRED, f"expired at {rfc3339(row['expires_at'])}")
        elif pause_of(pauses, one):
            changes.pause(one.id)
        else:
            if row["expires_at"] != one.expires_at:  # lifted by a retry
                one = replace(one, expires_at=row["expires_at"])
            one = _without_suppressed(changes, one, row, suppressions)
            if any(r.status in OPEN for r in one.recipients):
                ready.append(
                    Claimed(
                        one,
                        row["lease_no"],
                        row["lease_until"],
                        row["due_at"],
                        row["attempts"],
                        row["crashes"],
                        row["give_up_at"],
                    )
                )
    changes.write()
    return ready


def _without_suppressed(
    changes: Changes, one: Notification, row: RowMapping, suppressions: suppression.Reasons
) -> Notification:
    reasons = {
        r.n: reason
        for r in one.recipients
        if r.status in OPEN and (reason := suppression.reason_against(suppressions, r.address_key, one.category))
    }
    if not reasons:
        return one
    moved = [Moved(n, Status.SUPPRESSED, f"suppressed: {reason}") for n, reason in reasons.items()]
    after = replace(one, recipients=with_moves(one.recipients, moved))
    changes.move(one.id, moved)
    for r in after.recipients:
        if r.n in reasons:
            changes.add_event(one, NewEvent("email.suppressed", r.email, {"reason": r.reply}))
    if not any(r.status in OPEN for r in after.recipients):
        changes.end(one, settled(r.status for r in after.recipients), row["attempts"], row["lease_no"])
    return after


_SELECT_LEASES = (
    select(d.id, d.state, d.lease_no, d.attempts, d.crashes, d.give_up_at)
    .where(among(d.id, "ids"))
    .order_by(d.id)
    .with_for_update()
)


def _held_leases(tx: Tx, leases: Iterable[tuple[str, int]]) -> dict[tuple[str, int], RowMapping]:
    """The rows of those leases, (id, lease_no), that still stand; locked."""
    asked = set(leases)
    rows = tx.connection.execute(_SELECT_LEASES, {"ids": sorted({id_ for id_, _ in asked})}).mappings()
    standing = {(row["id"], row["lease_no"]): row for row in rows if row["state"] == "claimed"}
    return {lease: row for lease, row in standing.items() if lease in asked}


def finish(tx: Tx, finished: Sequence[Finish]) -> Sequence[bool]:
    """Writes outcomes. Behind the fence: False for a lease that was lost, of which only the timeline is told. Where the
    answer to a commit was lost, the same is finished again: that is True, and nothing is told twice."""
    held = _held_leases(tx, ((one.id, one.lease_no) for one in finished))
    written = _written_before(tx, [one for one in finished if (one.id, one.lease_no) not in held])
    changes = Changes(tx)
    answers = []
    for one in finished:
        row = held.pop((one.id, one.lease_no), None)  # a lease is finished once
        answers.append(row is not None or one in written)
        if row is None:
            if one not in written:
                late = {"late": "the lease was lost before this was recorded"}
                for new in one.events:
                    changes.event(one.id, one.project, replace(new, detail={**new.detail, **late}))
            continue
        for new in one.events:
            changes.event(one.id, one.project, new)
        changes.move(one.id, one.moved)
        if one.final is not None:
            changes.end_row(one.id, one.project, one.final, one.attempts, one.lease_no)
        else:
            due_at = one.due_at or tx.now
            changes.requeue(one.id, due_at=due_at, attempts=one.attempts, give_up_at=one.give_up_at)
        written.append(one)
    changes.write()
    suppression.add(tx, (new for one in finished for new in one.suppressions))
    return answers


_SELECT_ENDED = select(ended.c.id, ended.c.lease_no, ended.c.attempts, ended.c.status).where(among(ended.c.id, "ids"))
_SELECT_WAITING = select(d.id, d.lease_no, d.attempts, d.due_at).where(among(d.id, "ids"), not_(CLAIMED))


def _written_before(tx: Tx, finished: Sequence[Finish]) -> list[Finish]:
    """Of what holds no lease, that which left the row as it is: under the same lease, after as many attempts."""
    if not finished:
        return []
    ids = {"ids": sorted({one.id for one in finished})}
    over = {(row.id, row.lease_no, row.attempts): row.status for row in tx.connection.execute(_SELECT_ENDED, ids)}
    waiting = {(row.id, row.lease_no, row.attempts): row.due_at for row in tx.connection.execute(_SELECT_WAITING, ids)}
    written = []
    for one in finished:
        lease = (one.id, one.lease_no, one.attempts)
        if one.final is None:
            same = one.due_at is not None and waiting.get(lease) == one.due_at
        else:  # what was sent may have been delivered, or bounced, in the meantime
            same = lease in over and (one.final == "sent" or over[lease] == one.final)
        if same:
            written.append(one)
    return written


def hand_back(tx: Tx, leases: Sequence[tuple[str, int]]) -> Sequence[bool]:
    """Gives rows back untouched: they were claimed, and nothing of them was offered to the relay."""
    held = _held_leases(tx, leases)
    changes = Changes(tx)
    for row in held.values():
        changes.requeue(
            row["id"],
            due_at=tx.now,
            attempts=row["attempts"],
            give_up_at=row["give_up_at"],
            crashes=row["crashes"],
        )
    changes.write()
    return [lease in held for lease in leases]


_EXTEND = (
    update(delivery).where(among(d.id, "ids")).values(lease_until=bindparam("b_lease_until", type_=d.lease_until.type))
)


def extend(tx: Tx, leases: Sequence[tuple[str, int]], lease: float) -> frozenset[str]:
    """Renews leases for `lease` seconds from now; answers the ids of those that still stood."""
    ids = [id_ for id_, _ in _held_leases(tx, leases)]
    if ids:
        tx.connection.execute(_EXTEND, {"ids": ids, "b_lease_until": tx.now + timedelta(seconds=lease)})
    return frozenset(ids)


_MARK = update(delivery).where(among(d.id, "ids")).values(transmitting=True)


def mark_transmitting(tx: Tx, leases: Sequence[tuple[str, int]]) -> Sequence[bool]:
    """The durable mark of ``on_unknown: hold``, before the body is sent. False where the lease was lost."""
    held = _held_leases(tx, leases)
    if held:
        tx.connection.execute(_MARK, {"ids": [id_ for id_, _ in held]})
    return [lease in held for lease in leases]
