"""Webhooks and their queue: the same contract as that of mail (claim under a lease, finish behind its number, take up
what was lost), with a queue of its own for each endpoint, so that none waits for another."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    RowMapping,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from notifier.domain.notification import Event
from notifier.domain.webhook import (
    DISABLED_AFTER,
    ROTATION,
    Answer,
    DeliveryState,
    Rooms,
    Secret,
    Told,
    Webhook,
    WebhookChange,
    WebhookClaim,
    WebhookDelivery,
    WebhookFinish,
    WebhookState,
)
from notifier.store.changes import load
from notifier.store.dialect import among
from notifier.store.engine import Tx
from notifier.store.outbox import ONE, hook_of, secrets_json, webhook_delivery_row
from notifier.store.reading import event_of
from notifier.store.tables import event, webhook, webhook_delivery

w = webhook.c
q = webhook_delivery.c

_QUEUED = q.state == literal_column("'queued'")
_CLAIMED = q.state == literal_column("'claimed'")
# As literals, for the partial indexes.
_IN_STATE = {state: q.state == literal_column(f"'{state}'") for state in get_args(DeliveryState)}


# ------------------------------------------------------------------------------------------------------ the endpoints


def hooks(tx: Tx, project: str) -> list[Webhook]:
    rows = tx.connection.execute(select(webhook).where(w.project == project).order_by(w.id))
    return [hook_of(row) for row in rows.mappings()]


def find(tx: Tx, project: str, id_: str) -> Webhook | None:
    row = tx.connection.execute(ONE, {"id": id_}).mappings().one_or_none()
    return hook_of(row) if row is not None and row["project"] == project else None


def add(tx: Tx, hook: Webhook) -> None:
    row = {
        "id": hook.id,
        "project": hook.project,
        "url": hook.url,
        "types": list(hook.types),
        "templates": list(hook.templates),
        "secrets": secrets_json(hook.secrets),
        "created_at": hook.created_at,
    }
    tx.connection.execute(insert(webhook), row)


def change(tx: Tx, project: str, id_: str, new: WebhookChange) -> Webhook | None:
    """Changes what is named. A new secret signs beside the one before for a day; enabling forgives what was."""
    row = tx.connection.execute(ONE.with_for_update(), {"id": id_}).mappings().one_or_none()
    if row is None or row["project"] != project:
        return None
    values: dict[str, Any] = {}
    if new.url is not None:
        values["url"] = new.url
    if new.types is not None:
        values["types"] = list(new.types)
    if new.templates is not None:
        values["templates"] = list(new.templates)
    if new.secret is not None:
        before = hook_of(row).secrets[0]
        values["secrets"] = secrets_json([Secret(new.secret), Secret(before.text, tx.now + ROTATION)])
    if new.enabled is not None:
        disabled = None if new.enabled else tx.now
        values |= {"disabled_at": disabled, "disabled_reason": None if new.enabled else "by the caller"}
        values["failing_since"] = None
    if values:
        tx.connection.execute(update(webhook).where(w.id == id_).values(values))
    if new.enabled:
        tx.wake_couriers()
    return find(tx, project, id_)


def remove(tx: Tx, project: str, id_: str) -> bool:
    """Forgets an endpoint, and what was to be told it."""
    if not tx.connection.execute(delete(webhook).where(w.id == id_, w.project == project)).rowcount:
        return False
    tx.connection.execute(delete(webhook_delivery).where(q.webhook == id_))
    return True


def deliveries(tx: Tx, id_: str, state: str | None, after: str | None, limit: int) -> list[WebhookDelivery]:
    """The log of an endpoint, newest first."""
    statement = select(webhook_delivery, event).join(event, event.c.seq == q.event).where(q.webhook == id_)
    if state is not None:
        statement = statement.where(_IN_STATE[state])
    if after is not None:
        statement = statement.where(q.id < after)
    columns = statement.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL).order_by(q.id.desc()).limit(limit)
    return [_delivery_of(row) for row in tx.connection.execute(columns).mappings()]


def redeliver(tx: Tx, id_: str, delivery: str) -> str | None:
    """Queues the event of a delivery once more; answers the new delivery's id."""
    statement = select(q.event).where(q.id == delivery, q.webhook == id_)
    number = tx.connection.execute(statement).scalar_one_or_none()
    if number is None:
        return None
    row = webhook_delivery_row(id_, number, tx.now)
    tx.connection.execute(insert(webhook_delivery), row)
    tx.wake_couriers()
    return str(row["id"])


# ---------------------------------------------------------------------------------------------------------- the queue

_DUE = (
    select(q.id)
    .where(q.webhook == bindparam("b_webhook"), _QUEUED, q.due_at <= bindparam("b_now", type_=q.due_at.type))
    .order_by(q.due_at, q.id)
    .limit(bindparam("b_limit", type_=q.lease_no.type))
)
_LOCKED_DUE = _DUE.with_for_update(skip_locked=True).cte("due")
_CLAIM = (
    update(webhook_delivery)
    .where(q.id.in_(select(_LOCKED_DUE.c.id)))
    .values(
        state="claimed",
        owner=bindparam("b_owner"),
        lease_until=bindparam("b_lease_until", type_=q.lease_until.type),
        lease_no=q.lease_no + 1,
    )
    .returning(*webhook_delivery.c)
)
_WAITING = (
    select(webhook)
    .where(
        w.disabled_at.is_(None),
        exists().where(q.webhook == w.id, _QUEUED, q.due_at <= bindparam("b_now", type_=q.due_at.type)),
    )
    .order_by(w.id)
)
_EVENTS = select(event).where(among(event.c.seq, "numbers"))


def is_due(tx: Tx, rooms: Rooms, each: int) -> bool:
    """Whether a claim would bring something. Reads alone, so that an idle service writes nothing."""
    waiting = tx.connection.execute(_WAITING, {"b_now": tx.now}).mappings()
    return any(rooms.get(row["id"], each) > 0 for row in waiting)


def claim(tx: Tx, owner: str, lease: float, rooms: Rooms, each: int, limit: int) -> WebhookClaim:
    """Leases what is due, at most `limit` in all, and of each endpoint what there is room for: `each`, where `rooms`
    does not say."""
    leased = {"b_owner": owner, "b_now": tx.now, "b_lease_until": tx.now + timedelta(seconds=lease)}
    found: list[tuple[Webhook, RowMapping]] = []
    for row in tx.connection.execute(_WAITING, {"b_now": tx.now}).mappings().all():
        room = min(rooms.get(row["id"], each), limit - len(found))
        if room > 0:
            asked = {**leased, "b_webhook": row["id"], "b_limit": room}
            rows = tx.connection.execute(_CLAIM, asked).mappings().all()
            found.extend((hook_of(row), one) for one in rows)
    if not found:
        return WebhookClaim((), tx.now)
    numbers = {"numbers": [one["event"] for _, one in found]}
    events = {row["seq"]: event_of(row) for row in tx.connection.execute(_EVENTS, numbers).mappings()}
    mails = load(tx, list({one.notification for one in events.values()}))
    told = [
        Told(
            one["id"],
            one["lease_no"],
            one["attempts"],
            one["created_at"],
            hook,
            events[one["event"]],
            mails[events[one["event"]].notification],
        )
        for hook, one in found
    ]
    return WebhookClaim(told, tx.now)


def finish(tx: Tx, finished: Sequence[WebhookFinish]) -> Sequence[bool]:
    """Writes what came of tellings. False for a lease that was lost: somebody else tells it again."""
    written = [_finish(tx, one) for one in finished]
    answers: dict[str, list[Answer]] = {}
    for one, ours in zip(finished, written, strict=True):
        if ours:
            answers.setdefault(one.told.webhook.id, []).append(one.answer)
    for id_ in sorted(answers):  # in one order: two processes that judge the same ones must not wait for each other
        _judge(tx, id_, answers[id_])
    return written


def _finish(tx: Tx, one: WebhookFinish) -> bool:
    state = "done" if one.answer.taken else "queued" if one.due_at else "failed"
    statement = (
        update(webhook_delivery)
        .where(q.id == one.told.delivery, q.lease_no == one.told.lease_no, _CLAIMED)
        .values(
            state=state,
            owner=None,
            lease_until=None,
            due_at=one.due_at or tx.now,
            attempts=one.told.attempts + 1,
            answer_status=one.answer.status,
            answer=one.answer.text,
        )
    )
    return bool(tx.connection.execute(statement).rowcount)


_THIS = and_(w.id == bindparam("b_id"), w.disabled_at.is_(None))
_DISABLE = update(webhook).values(disabled_at=bindparam("b_now"), disabled_reason=bindparam("b_why"))
_GONE = _DISABLE.where(_THIS)
_TOO_LONG = _DISABLE.where(_THIS, w.failing_since <= bindparam("b_before", type_=w.failing_since.type))
_WELL = update(webhook).where(_THIS, w.failing_since.is_not(None)).values(failing_since=None)
_FAILING = update(webhook).where(_THIS, w.failing_since.is_(None)).values(failing_since=bindparam("b_now"))


def _judge(tx: Tx, id_: str, answers: Sequence[Answer]) -> None:
    """What the answers say of the endpoint as a whole."""
    hours = DISABLED_AFTER // timedelta(hours=1)
    known = {"b_id": id_, "b_now": tx.now}
    if any(answer.gone for answer in answers):
        tx.connection.execute(_GONE, {**known, "b_why": "the endpoint answered 410 Gone"})
    elif any(answer.taken for answer in answers):
        tx.connection.execute(_WELL, {"b_id": id_})
    elif not tx.connection.execute(_FAILING, known).rowcount:
        why = f"the endpoint took nothing for {hours} hours"
        tx.connection.execute(_TOO_LONG, {**known, "b_before": tx.now - DISABLED_AFTER, "b_why": why})


_RELEASE = (
    update(webhook_delivery)
    .where(_CLAIMED, q.lease_until < bindparam("b_before", type_=q.lease_until.type))
    .values(state="queued", owner=None, lease_until=None)
)


def release(tx: Tx, before: datetime, owner: str | None = None) -> int:
    """Takes up what lost processes left, or what an `owner` has; answers how many."""
    statement = _RELEASE if owner is None else _RELEASE.where(q.owner == owner)
    return tx.connection.execute(statement, {"b_before": before}).rowcount


def lost(tx: Tx) -> bool:
    """Whether there is anything to take up."""
    statement = select(q.id).where(_CLAIMED, q.lease_until < tx.now).limit(1)
    return tx.connection.execute(statement).first() is not None


_OLDEST = select(func.min(q.due_at)).where(q.webhook == w.id, _QUEUED).scalar_subquery()
_STATES = select(w.disabled_at, case((w.disabled_at.is_(None), _OLDEST)).label("oldest"))


def state(tx: Tx) -> WebhookState:
    """The oldest of each queue is the first of its index: this costs the same however much waits."""
    rows = tx.connection.execute(_STATES).all()
    lags = [(tx.now - row.oldest).total_seconds() for row in rows if row.oldest is not None]
    return WebhookState(max(0.0, *lags, 0.0), sum(row.disabled_at is not None for row in rows))


def forget(tx: Tx, keep: float) -> int:
    """Drops entries of the log that are older than `keep` seconds, a thousand at a time; answers how many. What waits
    for an endpoint that was disabled so long ago goes, too: its time is over."""
    before = tx.now - timedelta(seconds=keep)
    last = UUID(int=int(before.timestamp() * 1000) << 80)  # ids begin with their millisecond (RFC 9562 5.7)
    doomed = select(q.id).where(q.id < str(last), q.created_at < before, ~_CLAIMED).order_by(q.id).limit(1000)
    doomed = doomed.with_for_update(skip_locked=True)  # another process forgets others
    return tx.connection.execute(delete(webhook_delivery).where(q.id.in_(doomed))).rowcount


def _delivery_of(row: RowMapping) -> WebhookDelivery:
    d = {column.name: row[f"webhook_delivery_{column.name}"] for column in webhook_delivery.c}
    e = {column.name: row[f"event_{column.name}"] for column in event.c}
    happened = Event(e["seq"], e["notification"], e["type"], e["at"], e["recipient"], e["detail"], e["tx"])
    due_at = d["due_at"] if d["state"] == "queued" else None
    return WebhookDelivery(
        d["id"],
        d["webhook"],
        happened,
        d["state"],
        d["attempts"],
        d["created_at"],
        due_at,
        d["answer_status"],
        d["answer"],
    )
