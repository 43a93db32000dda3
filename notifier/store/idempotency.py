"""Idempotency keys: finding what they stand for, taking them, forgetting them.

Rows are inserted in the order of their keys (two processes that insert in different orders deadlock), with ``ON
CONFLICT DO NOTHING RETURNING``: what does not come back was there before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import exists, select, tuple_

from notifier.domain.acceptance import Acceptance, Earlier, IdempotencyKey
from notifier.domain.errors import Fault, Refused
from notifier.store.dialect import among_pairs, insert_or_ignore
from notifier.store.engine import Tx
from notifier.store.rows import Row
from notifier.store.tables import delivery, idempotency, notification

Key = tuple[str, str]
"""Project, key."""


def earlier(tx: Tx, project: str, keys: Sequence[str]) -> dict[str, Earlier]:
    """What idempotency keys of a project stand for already; unknown ones are left out."""
    return {key: found for (_, key), found in stored(tx, ((project, key) for key in keys)).items()}


def keys_of(one: Acceptance) -> Iterable[Key]:
    """Every key of an acceptance: its own and those of its items."""
    if one.idempotency:
        yield (one.project, one.idempotency.key)
    for new in one.news:
        if new.idempotency:
            yield (one.project, new.idempotency.key)


_OF_KEYS = among_pairs(idempotency.c.project, idempotency.c.key, "keys")
_SELECT_KEYS = select(idempotency).where(_OF_KEYS)
_DELETE_KEYS = idempotency.delete().where(_OF_KEYS)


def stored(tx: Tx, keys: Iterable[Key]) -> dict[Key, Earlier]:
    """What keys stand for; unknown ones are left out."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = tx.connection.execute(_SELECT_KEYS, {"keys": wanted}).mappings()
    return {
        (row["project"], row["key"]): Earlier(row["fingerprint"], row["notification"], row["batch"]) for row in rows
    }


def reused(key: IdempotencyKey, field: str) -> Refused:
    """A key that came before with another request."""
    message = f"the idempotency key {key.key!r} was used before with another request"
    return Refused(message, code="idempotency_key_reused", faults=[Fault(field, "idempotency_key_reused", message)])


def rows_of(one: Acceptance, known: Mapping[Key, Earlier]) -> dict[Key, Row]:
    """The rows that an acceptance has to win. Two items of one batch under one key are one mail."""
    rows: dict[Key, Row] = {}
    if one.idempotency:
        rows[one.project, one.idempotency.key] = _key_row(one, one.idempotency, None, one.batch)
    for new in one.news:
        if new.idempotency and (one.project, new.idempotency.key) not in known:
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


def take(tx: Tx, rows: Mapping[Key, Row]) -> set[Key]:
    """Inserts the rows in the order of their keys and says which were not there before."""
    if not rows:
        return set()
    statement = insert_or_ignore(tx, idempotency).returning(idempotency.c.project, idempotency.c.key)
    result = tx.connection.execute(statement, [rows[key] for key in sorted(rows)])
    return {(row.project, row.key) for row in result}


def give_back(tx: Tx, keys: Iterable[Key]) -> None:
    """Deletes rows that this transaction took."""
    tx.connection.execute(_DELETE_KEYS, {"keys": list(keys)})


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
