"""Accepting: the transaction that a group of requests shares.

Idempotency rows go first, sorted (two processes that insert in different orders deadlock), with ``ON CONFLICT DO
NOTHING RETURNING``: who loses leaves the group and is answered with what the winner stored. Then suppressions are
asked, and everything else is written in one statement a table.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Insert, Table, exists, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.acceptance import Acceptance, Earlier, IdempotencyKey, New, Receipt
from notifier.domain.errors import Fault, Refused
from notifier.domain.lifecycle import OPEN, Status, settled
from notifier.domain.notification import Notification
from notifier.store.dialect import among, among_pairs
from notifier.store.engine import Tx
from notifier.store.outbox import add_events
from notifier.store.rows import Row, delivery_row, event_row, notification_row, recipient_row
from notifier.store.tables import (
    attachment,
    batch,
    delivery,
    ended,
    event,
    idempotency,
    notification,
    recipient,
    suppression,
    tag,
)

_Key = tuple[str, str]  # project, key


def insert_or_ignore(tx: Tx, table: Table) -> sqlite.Insert | postgresql.Insert:
    """``INSERT ... ON CONFLICT DO NOTHING`` in the dialect of the transaction's database."""
    if tx.connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def accept(tx: Tx, asked: Sequence[Acceptance]) -> Sequence[Receipt | Exception]:
    """Stores what is new and answers each acceptance, in order, with a receipt or with its refusal."""
    results: dict[int, Receipt | Exception] = {}
    waiting = dict(enumerate(asked))
    while waiting:
        stored = _stored(tx, (key for one in waiting.values() for key in _keys(one)))
        won, waiting = _settle(tx, waiting, stored, results)
        results.update(_write(tx, won, stored))
    return [results[position] for position in range(len(asked))]


def earlier(tx: Tx, project: str, keys: Sequence[str]) -> dict[str, Earlier]:
    """What idempotency keys of a project stand for already; unknown ones are left out."""
    return {key: found for (_, key), found in _stored(tx, ((project, key) for key in keys)).items()}


def _keys(one: Acceptance) -> Iterable[_Key]:
    if one.idempotency:
        yield (one.project, one.idempotency.key)
    for new in one.news:
        if new.idempotency:
            yield (one.project, new.idempotency.key)


_OF_KEYS = among_pairs(idempotency.c.project, idempotency.c.key, "keys")
_SELECT_KEYS = select(idempotency).where(_OF_KEYS)
_DELETE_KEYS = idempotency.delete().where(_OF_KEYS)


def _stored(tx: Tx, keys: Iterable[_Key]) -> dict[_Key, Earlier]:
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = tx.connection.execute(_SELECT_KEYS, {"keys": wanted}).mappings()
    return {
        (row["project"], row["key"]): Earlier(row["fingerprint"], row["notification"], row["batch"]) for row in rows
    }


def _settle(
    tx: Tx, waiting: Mapping[int, Acceptance], stored: Mapping[_Key, Earlier], results: dict[int, Receipt | Exception]
) -> tuple[dict[int, Acceptance], dict[int, Acceptance]]:
    """Answers replays and reused keys, takes the keys of the others, and parts them into who won all theirs and who
    has to look again, because another got there first."""
    candidates: dict[int, Acceptance] = {}
    again: dict[int, Acceptance] = {}
    rows: dict[_Key, Row] = {}
    for position, one in waiting.items():
        answer = _answered(one, stored)
        if answer is not None:
            results[position] = answer
            continue
        own = _key_rows(one, stored)
        if rows.keys() & own.keys():
            again[position] = one
        else:
            rows.update(own)
            candidates[position] = one
    taken = _take(tx, rows)
    won: dict[int, Acceptance] = {}
    given_back: list[_Key] = []
    for position, one in candidates.items():
        own_keys = _key_rows(one, stored).keys()
        if own_keys <= taken:
            won[position] = one
        else:
            given_back.extend(own_keys & taken)
            again[position] = one
    if given_back:
        tx.connection.execute(_DELETE_KEYS, {"keys": given_back})
    return won, again


def _answered(one: Acceptance, stored: Mapping[_Key, Earlier]) -> Receipt | Exception | None:
    """The answer that idempotency rows already give: a replay as a whole, or a key that came with another body."""
    if one.idempotency and (row := stored.get((one.project, one.idempotency.key))):
        if row.fingerprint != one.idempotency.fingerprint or row.batch is None:
            return _reused(one.idempotency, "Idempotency-Key")
        return Receipt((), (), batch=row.batch)
    faults = []
    for index, new in enumerate(one.news):
        key = new.idempotency
        row = stored.get((one.project, key.key)) if key else None
        if key and row and (row.fingerprint != key.fingerprint or row.notification is None):
            place = one.positions[index] if one.positions else index
            field = f"notifications[{place}].idempotency_key" if one.batch else "Idempotency-Key"
            faults.append(_reused(key, field).faults[0])
    if faults:
        return Refused(faults[0].message, code="idempotency_key_reused", faults=faults)
    if not one.batch and one.news[0].idempotency and (row := stored.get((one.project, one.news[0].idempotency.key))):
        return Receipt((str(row.notification),), (None,))
    return None


def _reused(key: IdempotencyKey, field: str) -> Refused:
    message = f"the idempotency key {key.key!r} was used before with another request"
    return Refused(message, code="idempotency_key_reused", faults=[Fault(field, "idempotency_key_reused", message)])


def _key_rows(one: Acceptance, stored: Mapping[_Key, Earlier]) -> dict[_Key, Row]:
    """The idempotency rows that an acceptance has to win. Two items of one batch under one key are one mail."""
    rows: dict[_Key, Row] = {}
    if one.idempotency:
        rows[one.project, one.idempotency.key] = _key_row(one, one.idempotency, None, one.batch)
    for new in one.news:
        if new.idempotency and (one.project, new.idempotency.key) not in stored:
            key = (one.project, new.idempotency.key)
            rows.setdefault(key, _key_row(one, new.idempotency, new.notification.id, None))
    return rows


def _key_row(one: Acceptance, key: IdempotencyKey, notification_id: str | None, batch_id: str | None) -> Row:
    return {
        "project": one.project,
        "key": key.key,
        "fingerprint": key.fingerprint,
        "notification": notification_id,
        "batch": batch_id,
        "created_at": one.created_at,
    }


def _take(tx: Tx, rows: Mapping[_Key, Row]) -> set[_Key]:
    """Inserts the rows in the order of their keys and says which were not there before."""
    if not rows:
        return set()
    statement = insert_or_ignore(tx, idempotency).returning(idempotency.c.project, idempotency.c.key)
    result = tx.connection.execute(statement, [rows[key] for key in sorted(rows)])
    return {(row.project, row.key) for row in result}


def _write(tx: Tx, won: Mapping[int, Acceptance], stored: Mapping[_Key, Earlier]) -> dict[int, Receipt | Exception]:
    suppressed = _suppressed(tx, [new.notification for one in won.values() for new in one.news])
    rows: dict[Table, list[Row]] = {}
    receipts: dict[int, Receipt | Exception] = {}
    for position, one in won.items():
        ids: list[str] = []
        fresh: list[Notification | None] = []
        by_key: dict[str, str] = {}
        for new in one.news:
            earlier = _earlier(one, new, stored, by_key)
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


def _earlier(one: Acceptance, new: New, stored: Mapping[_Key, Earlier], by_key: Mapping[str, str]) -> str | None:
    """The id that this item's key stands for already: of an earlier request, or of an earlier item of this batch."""
    if new.idempotency is None:
        return None
    row = stored.get((one.project, new.idempotency.key))
    return row.notification if row else by_key.get(new.idempotency.key)


_SELECT_SUPPRESSIONS = select(suppression.c.address_key, suppression.c.scope, suppression.c.reason).where(
    among(suppression.c.address_key, "keys")
)

Suppressions = Mapping[tuple[str, str], str]
"""Reasons by (address key, scope)."""


def _suppressed(tx: Tx, notifications: Sequence[Notification]) -> Suppressions:
    return suppressions_of(tx, {r.address_key for one in notifications for r in one.recipients})


def suppressions_of(tx: Tx, address_keys: Iterable[str]) -> Suppressions:
    wanted = list(address_keys)
    if not wanted:
        return {}
    rows = tx.connection.execute(_SELECT_SUPPRESSIONS, {"keys": wanted})
    return {(row.address_key, row.scope): row.reason for row in rows}


def suppression_reason(suppressions: Suppressions, address_key: str, category: str | None) -> str | None:
    """Why we must not write to an address, or None: one for ``all``, or one for the template's category."""
    everything = suppressions.get((address_key, "all"))
    return everything or (suppressions.get((address_key, category)) if category else None)


def _with_suppressions(one: Notification, suppressions: Suppressions) -> Notification:
    if not suppressions:
        return one
    recipients = tuple(
        replace(r, status=Status.SUPPRESSED, reply=f"suppressed: {reason}")
        if (reason := suppression_reason(suppressions, r.address_key, one.category))
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
        put(ended, ended_row(one.id, one.project, settled(statuses), 0, 0, tx))
    detail = {"send_at": one.send_at.isoformat()} if scheduled and one.send_at else {}
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


def ended_row(id_: str, project: str, status: str, attempts: int, lease_no: int, tx: Tx) -> Row:
    return {
        "id": id_,
        "project": project,
        "status": status,
        "attempts": attempts,
        "lease_no": lease_no,
        "at": tx.now,
    }


def forget(tx: Tx, ttl: float) -> int:
    """Deletes idempotency keys older than `ttl` seconds whose notification, or every one of whose batch, is final."""
    old = idempotency.c.created_at < tx.now - timedelta(seconds=ttl)
    still_open = exists().where(delivery.c.id == idempotency.c.notification) | exists().where(
        notification.c.batch == idempotency.c.batch, delivery.c.id == notification.c.id
    )
    doomed = select(idempotency.c.project, idempotency.c.key).where(old, ~still_open).limit(1000)
    doomed = doomed.with_for_update(skip_locked=True)  # another process forgets others
    keys = tuple_(idempotency.c.project, idempotency.c.key)
    return tx.connection.execute(idempotency.delete().where(keys.in_(doomed))).rowcount
