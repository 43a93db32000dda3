"""SQL that the two databases spell differently, where SQLAlchemy Core does not hide it."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Boolean, Dialect, Table, Text, TypeDecorator, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from notifier.store.encoding import json_text
from notifier.store.transaction import Tx


def insert_or_ignore(tx: Tx, table: Table) -> sqlite.Insert | postgresql.Insert:
    """``INSERT ... ON CONFLICT DO NOTHING`` in the dialect of the transaction's database."""
    if tx.connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


class among(FunctionElement[bool]):
    """``column IN (...)`` with the whole list as one parameter: one statement for lists of all lengths, which both
    databases prepare once, and no limit on their number (32,766 parameters is the most that either takes)."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], parameter: str) -> None:
        super().__init__(column, bindparam(parameter, type_=_List(column.type)))

    def self_group(self, against: Any = None) -> "among":  # noqa: ARG002
        return self  # else SQLite is given `... = 1`, which no index serves


class among_pairs(FunctionElement[bool]):
    """``(first, second) IN (...)``, likewise. Spelled with row values, SQLite would read the whole table."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, first: ColumnElement[str], second: ColumnElement[str], parameter: str) -> None:
        super().__init__(first, second, bindparam(parameter, type_=_Pairs()))

    def self_group(self, against: Any = None) -> "among_pairs":  # noqa: ARG002
        return self


class _Pairs(TypeDecorator[Iterable[tuple[str, str]]]):
    """JSON text on both."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[tuple[str, str]] | None, _dialect: Dialect) -> str:
        return json_text(list(value or ()))


class _List(TypeDecorator[Iterable[Any]]):
    """An array on PostgreSQL, JSON text on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.ARRAY(self.item))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> Any:
        values = list(value or ())
        if dialect.name == "postgresql":
            return values
        stored = self.item.dialect_impl(dialect).bind_processor(dialect)
        return json_text([stored(one) for one in values] if stored else values)


@compiles(among, "postgresql")
def _(element: among, compiler: SQLCompiler, **more: Any) -> str:
    column, values = element.clauses
    return f"{compiler.process(column, **more)} = ANY ({compiler.process(values, **more)})"


@compiles(among, "sqlite")
def _(element: among, compiler: SQLCompiler, **more: Any) -> str:
    column, values = element.clauses
    listed = f"(SELECT value FROM json_each({compiler.process(values, **more)}))"  # noqa: S608 - a placeholder
    return f"{compiler.process(column, **more)} IN {listed}"


@compiles(among_pairs, "postgresql")
def _(element: among_pairs, compiler: SQLCompiler, **more: Any) -> str:
    first, second, pairs = (compiler.process(clause, **more) for clause in element.clauses)
    listed = f"(SELECT pair ->> 0, pair ->> 1 FROM json_array_elements(CAST({pairs} AS json)) AS pair)"  # noqa: S608 - a placeholder
    return f"({first}, {second}) IN {listed}"


@compiles(among_pairs, "sqlite")
def _(element: among_pairs, compiler: SQLCompiler, **more: Any) -> str:
    first, second, pairs = (compiler.process(clause, **more) for clause in element.clauses)
    listed = f"(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each({pairs}))"  # noqa: S608 - a placeholder
    return f"({first}, {second}) IN {listed}"
