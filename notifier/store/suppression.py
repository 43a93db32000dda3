"""Suppressions: added, looked up, listed, lifted. They are asked by `acceptance.py` and at each claim by `queue.py`."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import RowMapping, and_, delete, or_, select, update

from notifier.domain.suppression import ALL, NewSuppression, Suppressed, Suppression, SuppressionFilter
from notifier.store.dialect import among, insert_or_ignore
from notifier.store.engine import Tx
from notifier.store.rows import Row
from notifier.store.tables import suppression

s = suppression.c

_SELECT_REASONS = select(s.address_key, s.scope, s.reason).where(among(s.address_key, "keys"))

Reasons = Mapping[tuple[str, str], str]
"""Why addresses must not be written to, by (address key, scope)."""


def reasons(tx: Tx, address_keys: Iterable[str]) -> Reasons:
    """The reasons that stand against any of these addresses."""
    wanted = list(address_keys)
    if not wanted:
        return {}
    rows = tx.connection.execute(_SELECT_REASONS, {"keys": wanted})
    return {(row.address_key, row.scope): row.reason for row in rows}


def reason_against(found: Reasons, address_key: str, category: str | None) -> str | None:
    """Why we must not write to an address, or None: one for ``all``, or one for the template's category."""
    everything = found.get((address_key, ALL))
    return everything or (found.get((address_key, category)) if category else None)


def add(tx: Tx, news: Iterable[NewSuppression]) -> int:
    """Adds those that do not stand yet; answers how many. One that stands keeps its reason and its time."""
    rows = {(new.address_key, new.scope): _row(tx, new) for new in news}
    if not rows:
        return 0
    # In one order, like idempotency keys: two processes that add the same ones must not wait for each other.
    ordered = [rows[key] for key in sorted(rows)]
    statement = insert_or_ignore(tx, suppression).returning(s.address_key)
    return len(tx.connection.execute(statement, ordered).all())


def put(tx: Tx, new: NewSuppression) -> Suppression:
    """Adds one, or gives the one that stands another reason and source."""
    this = and_(s.address_key == new.address_key, s.scope == new.scope)
    if not add(tx, [new]):
        tx.connection.execute(update(suppression).where(this).values(reason=new.reason, source=new.source))
    return _of(tx.connection.execute(select(suppression).where(this)).mappings().one())


def find(tx: Tx, address_key: str) -> list[Suppression]:
    """All that stand for an address, by scope."""
    rows = tx.connection.execute(select(suppression).where(s.address_key == address_key).order_by(s.scope))
    return [_of(row) for row in rows.mappings()]


def lift(tx: Tx, address_key: str, scope: str | None) -> int:
    """Removes the one of a scope, or all of an address; answers how many there were."""
    statement = delete(suppression).where(s.address_key == address_key)
    if scope is not None:
        statement = statement.where(s.scope == scope)
    return tx.connection.execute(statement).rowcount


def listed(tx: Tx, wanted: SuppressionFilter, after: tuple[str, str] | None, limit: int) -> Suppressed:
    """A page in the order of the primary key."""
    statement = select(suppression)
    if wanted.reason is not None:
        statement = statement.where(s.reason == wanted.reason)
    if wanted.scope is not None:
        statement = statement.where(s.scope == wanted.scope)
    if wanted.part is not None:
        statement = statement.where(s.address_key.contains(wanted.part, autoescape=True))
    if after is not None:
        key, scope = after
        statement = statement.where(s.address_key >= key, or_(s.address_key > key, s.scope > scope))
    statement = statement.order_by(s.address_key, s.scope).limit(limit + 1)
    rows: Sequence[RowMapping] = tx.connection.execute(statement).mappings().all()
    entries = tuple(_of(row) for row in rows[:limit])
    return Suppressed(entries, (entries[-1].address_key, entries[-1].scope) if len(rows) > limit else None)


def _row(tx: Tx, new: NewSuppression) -> Row:
    return {
        "address_key": new.address_key,
        "scope": new.scope,
        "email": new.email,
        "reason": new.reason,
        "source": new.source,
        "created_at": tx.now,
    }


def _of(row: RowMapping) -> Suppression:
    return Suppression(row["address_key"], row["email"], row["scope"], row["reason"], row["source"], row["created_at"])
