"""SQL that has to reach an index is spelled so that it does."""

import pytest
from sqlalchemy import ColumnElement, Dialect, and_, not_, select
from sqlalchemy.dialects import postgresql, sqlite

from notifier.store.dialect import among, among_pairs
from notifier.store.tables import delivery, idempotency

BY_ID = among(delivery.c.id, "ids")
BY_KEY = among_pairs(idempotency.c.project, idempotency.c.key, "keys")


SQLITE: Dialect = sqlite.dialect()
POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def where(condition: ColumnElement[bool], dialect: Dialect) -> str:
    statement = select(delivery.c.id).where(condition)
    return " ".join(str(statement.compile(dialect=dialect)).split()).partition("WHERE ")[2]


@pytest.mark.parametrize(
    ("condition", "sql"),
    [
        (BY_ID, "delivery.id IN (SELECT value FROM json_each(?))"),
        (
            and_(delivery.c.attempts == delivery.c.crashes, BY_ID),
            "delivery.attempts = delivery.crashes AND delivery.id IN (SELECT value FROM json_each(?))",
        ),
    ],
)
def test_sqlite_is_given_a_list_that_an_index_serves(condition: ColumnElement[bool], sql: str) -> None:
    assert where(condition, SQLITE) == sql


def test_sqlite_is_given_pairs_as_a_query() -> None:
    listed = "(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"
    assert where(BY_KEY, SQLITE) == f'(idempotency.project, idempotency."key") IN {listed}'


def test_postgresql_is_given_an_array() -> None:
    assert where(BY_ID, POSTGRESQL) == "delivery.id = ANY (%(ids)s::UUID[])"
    assert where(not_(BY_ID), POSTGRESQL) == "NOT delivery.id = ANY (%(ids)s::UUID[])"


def test_ids_are_listed_as_sqlite_stores_them() -> None:
    bind = BY_ID.clauses.clauses[1]
    listed = bind.type.dialect_impl(SQLITE).bind_processor(SQLITE)
    assert listed is not None
    assert listed(["01890000-0000-7000-8000-000000000000"]) == '["01890000000070008000000000000000"]'
