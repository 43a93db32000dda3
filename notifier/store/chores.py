"""What has to be done now and then on `delivery`: leases that ran out are taken up, mail whose time is over ends."""

from datetime import datetime

from sqlalchemy import bindparam, literal_column, select

from notifier.domain.delivery import LAST_CRASH, NewEvent
from notifier.domain.lifecycle import Status
from notifier.store.changes import CLAIMED, Changes, load
from notifier.store.engine import Tx
from notifier.store.tables import delivery

d = delivery.c

_LOST = (
    select(d.id, d.lease_no, d.attempts, d.crashes, d.transmitting, d.give_up_at)
    .where(CLAIMED, d.lease_until < bindparam("b_before"))
    .order_by(d.lease_until)
    .limit(500)
    .with_for_update(skip_locked=True)
)


def reclaim(tx: Tx, before: datetime) -> int:
    """Takes up what lost workers left: rows whose lease ended before `before`. Answers how many there were.

    A row marked as transmitting is held. A row lost in company once and alone three times is poison and fails. The
    rest is queued again as suspects.
    """
    rows = tx.connection.execute(_LOST, {"b_before": before}).mappings().all()
    if not rows:
        return 0
    notifications = load(tx, [row["id"] for row in rows])
    changes = Changes(tx)
    for row in rows:
        one, crashes = notifications[row["id"]], row["crashes"] + 1
        if row["transmitting"]:
            changes.settle(one, row, Status.HELD, "the worker was lost while it sent this; it may have gone out")
        elif crashes >= LAST_CRASH:
            changes.settle(one, row, Status.FAILED, "poison: three workers were lost with this alone")
        else:
            detail = {"reason": "the worker was lost with this; it may have gone out", "crashes": crashes}
            changes.add_event(one, NewEvent("email.unknown", None, detail))
            changes.requeue(
                one.id, due_at=tx.now, attempts=row["attempts"], give_up_at=row["give_up_at"], crashes=crashes
            )
    changes.write()
    return len(rows)


_EXPIRED = (
    select(d.id, d.lease_no, d.attempts)
    .where(d.expires_at <= bindparam("b_now", type_=d.expires_at.type), d.state != literal_column("'claimed'"))
    .order_by(d.expires_at)
    .limit(500)
    .with_for_update(skip_locked=True)
)


def expire(tx: Tx) -> int:
    """Ends what nobody may send any more. What is being sent at this moment is left to its worker."""
    rows = tx.connection.execute(_EXPIRED, {"b_now": tx.now}).mappings().all()
    notifications = load(tx, [row["id"] for row in rows])
    changes = Changes(tx)
    for row in rows:
        changes.settle(notifications[row["id"]], row, Status.EXPIRED, "its time to be sent is over")
    changes.write()
    return len(rows)
