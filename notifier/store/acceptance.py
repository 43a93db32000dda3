"""Accepting: the transaction that a group of requests shares.

Idempotency rows go first: who loses leaves the group and is answered with what the winner stored. Then suppressions
are asked, and everything else is written in one statement a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Insert, Table, insert, select

from notifier.domain.acceptance import Acceptance, Earlier, New, Receipt
from notifier.domain.errors import Refused
from notifier.domain.lifecycle import OPEN, Status, settled
from notifier.domain.notification import Notification
from notifier.domain.times import rfc3339
from notifier.store import idempotency, suppression
from notifier.store.dialect import insert_or_ignore
from notifier.store.engine import Tx
from notifier.store.outbox import add_events
from notifier.store.rows import Row, delivery_row, ended_row, event_row, notification_row, recipient_row
from notifier.store.tables import (
    attachment,
    batch,
    delivery,
    ended,
    event,
    notification,
    recipient,
    tag,
)

Known = Mapping[idempotency.Key, Earlier]
"""What idempotency keys stand for."""


def accept(tx: Tx, asked: Sequence[Acceptance]) -> Sequence[Receipt | Exception]:
    """Stores what is new and answers each acceptance, in order, with a receipt or with its refusal."""
    results: dict[int, Receipt | Exception] = {}
    waiting = dict(enumerate(asked))
    while waiting:
        known = idempotency.stored(tx, (key for one in waiting.values() for key in idempotency.keys_of(one)))
        won, waiting = _settle(tx, waiting, known, results)
        results.update(_write(tx, won, known))
    return [results[position] for position in range(len(asked))]


def _settle(
    tx: Tx, waiting: Mapping[int, Acceptance], known: Known, results: dict[int, Receipt | Exception]
) -> tuple[dict[int, Acceptance], dict[int, Acceptance]]:
    """Answers replays and reused keys, takes the keys of the others, and parts them into who won all theirs and who
    has to look again, because another got there first."""
    candidates: dict[int, Acceptance] = {}
    again: dict[int, Acceptance] = {}
    rows: dict[idempotency.Key, Row] = {}
    for position, one in waiting.items():
        answer = _answered(one, known)
        if answer is not None:
            results[position] = answer
            continue
        own = idempotency.rows_of(one, known)
        if rows.keys() & own.keys():
            again[position] = one
        else:
            rows.update(own)
            candidates[position] = one
    taken = idempotency.take(tx, rows)
    won: dict[int, Acceptance] = {}
    given_back: list[idempotency.Key] = []
    for position, one in candidates.items():
        own_keys = idempotency.rows_of(one, known).keys()
        if own_keys <= taken:
            won[position] = one
        else:
            given_back.extend(own_keys & taken)
            again[position] = one
    if given_back:
        idempotency.give_back(tx, given_back)
    return won, again


def _answered(one: Acceptance, known: Known) -> Receipt | Exception | None:
    """The answer that idempotency rows already give: a replay as a whole, or a key that came with another body."""
    if one.idempotency and (row := known.get((one.project, one.idempotency.key))):
        if row.fingerprint != one.idempotency.fingerprint or row.batch is None:
            return idempotency.reused(one.idempotency, "Idempotency-Key")
        return Receipt((), (), batch=row.batch)
    faults = []
    for index, new in enumerate(one.news):
        key = new.idempotency
        row = known.get((one.project, key.key)) if key else None
        if key and row and (row.fingerprint != key.fingerprint or row.notification is None):
            place = one.positions[index] if one.positions else index
            field = f"notifications[{place}].idempotency_key" if one.batch else "Idempotency-Key"
            faults.append(idempotency.reused(key, field).faults[0])
    if faults:
        return Refused(faults[0].message, code="idempotency_key_reused", faults=faults)
    if not one.batch and one.news[0].idempotency and (row := known.get((one.project, one.news[0].idempotency.key))):
        return Receipt((str(row.notification),), (None,))
    return None


def _write(tx: Tx, won: Mapping[int, Acceptance], known: Known) -> dict[int, Receipt | Exception]:
    suppressed = _suppressed(tx, [new.notification for one in won.values() for new in one.news])
    rows: dict[Table, list[Row]] = {}
    receipts: dict[int, Receipt | Exception] = {}
    for position, one in won.items():
        ids: list[str] = []
        fresh: list[Notification | None] = []
        by_key: dict[str, str] = {}
        for new in one.news:
            earlier = _earlier(one, new, known, by_key)
            if earlier:
                ids.append(earlier)
                fresh.append(None)
                continue
            if new.idempotency:
                by_key[new.idempotency.key] = new.notification.id
            stands = _with_suppressions(new.notification, suppressed)
            _add(rows, tx, new, stands)
            ids.append(stands.id)
            fresh.append(stands)
        if one.batch:
            items = [one.known.get(place) for place in range(one.size)]
            for place, id_ in zip(one.positions or range(len(ids)), ids, strict=True):
                items[place] = id_
            if not any(fresh) and not one.idempotency and (same := _same_batch(tx, one.project, items)):
                receipts[position] = Receipt((), (), batch=same)
                continue
            row = {"id": one.batch, "project": one.project, "notifications": items, "created_at": one.created_at}
            rows.setdefault(batch, []).append(row)
        receipts[position] = Receipt(tuple(ids), tuple(fresh))
    # Contents are shared between processes, which must insert them in one order, like the keys.
    rows.get(attachment, []).sort(key=lambda row: str(row["hash"]))
    for table, many in rows.items():
        if table is event:
            add_events(tx, many)
            continue
        statement: Insert = insert_or_ignore(tx, table) if table in (attachment, tag) else insert(table)
        tx.connection.execute(statement, many)
    return receipts


def _same_batch(tx: Tx, project: str, items: Sequence[str | None]) -> str | None:
    """The batch that had just these notifications: then this one is it again, known by the keys of its items."""
    first = next((id_ for id_ in items if id_), None)
    of_first = select(notification.c.batch).where(notification.c.id == first).scalar_subquery()
    found = tx.connection.execute(select(batch).where(batch.c.id == of_first, batch.c.project == project)).first()
    return found.id if found is not None and list(found.notifications) == list(items) else None


def _earlier(one: Acceptance, new: New, known: Known, by_key: Mapping[str, str]) -> str | None:
    """The id that this item's key stands for already: of an earlier request, or of an earlier item of this batch."""
    if new.idempotency is None:
        return None
    row = known.get((one.project, new.idempotency.key))
    return row.notification if row else by_key.get(new.idempotency.key)


def _suppressed(tx: Tx, notifications: Sequence[Notification]) -> suppression.Reasons:
    return suppression.reasons(tx, {r.address_key for one in notifications for r in one.recipients})


def _with_suppressions(one: Notification, suppressions: suppression.Reasons) -> Notification:
    if not suppressions:
        return one
    recipients = tuple(
        replace(r, status=Status.SUPPRESSED, reply=f"suppressed: {reason}")
        if (reason := suppression.reason_against(suppressions, r.address_key, one.category))
        else r
        for r in one.recipients
    )
    return replace(one, recipients=recipients)


def _add(rows: dict[Table, list[Row]], tx: Tx, new: New, one: Notification) -> None:
    def put(table: Table, row: Row) -> None:
        rows.setdefault(table, []).append(row)

    put(notification, notification_row(one))
    statuses = [r.status for r in one.recipients]
    scheduled = one.send_at is not None and one.send_at > tx.now
    if any(status in OPEN for status in statuses):
        put(delivery, delivery_row(one, tx.now))
        if not scheduled:
            tx.wake_workers()
    else:
        put(ended, ended_row(one.id, one.project, settled(statuses), 0, 0, tx.now))
    detail = {"send_at": rfc3339(one.send_at)} if scheduled and one.send_at else {}
    put(event, event_row(one.id, one.project, "email.scheduled" if scheduled else "email.queued", tx.now, None, detail))
    for r in one.recipients:
        put(recipient, recipient_row(one.id, r))
        if r.status is Status.SUPPRESSED:
            row = event_row(one.id, one.project, "email.suppressed", tx.now, r.email, {"reason": r.reply})
            put(event, row)
    for hash_, content in new.files.items():
        put(attachment, {"hash": hash_, "content": content})
    for word in dict.fromkeys(one.tags):
        put(tag, {"project": one.project, "tag": word, "notification": one.id})
