"""What SQLite knows of a query before it runs: declared types, and whether it asks for chance.

Python's driver does not pass ``sqlite3_column_decltype`` on. A temporary view of the query has
the same answers in its ``PRAGMA table_info``, and needs no right to write to the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.rows.session import driver_connection

_VIEW = "waybill_columns_of_the_query"
_TABLE = "waybill_rows_of_the_query"
#: A connection may keep the rows of several queries.
_numbers = count()

#: SQLite's functions that answer otherwise each time. (https://sqlite.org/lang_corefunc.html)
_CHANCE = frozenset({"random", "randomblob"})


class _WithoutValues(SQLiteCompiler):
    """Writes NULL for every parameter, which no view may have. The SQL is never run."""

    def visit_bindparam(self, bindparam: sa.BindParameter[Any], *_: Any, **__: Any) -> str:
        return "(NULL)" if bindparam.expanding else "NULL"


def declared_types(connection: sa.Connection, query: Query, width: int) -> list[str]:
    """The declared types of the `width` columns of `query`; empty for what is computed."""
    dialect = SQLiteDialect_pysqlite()
    dialect.statement_compiler = _WithoutValues
    try:
        sql = str(query.compile(dialect=dialect))
        with _temporary(connection):
            connection.exec_driver_sql(f"CREATE TEMP VIEW {_VIEW} AS {sql}")
            columns = connection.exec_driver_sql(f"PRAGMA temp.table_info({_VIEW})").all()
            connection.exec_driver_sql(f"DROP VIEW temp.{_VIEW}")
    except sa.exc.SQLAlchemyError as error:
        if "no such collation sequence" in str(error):
            raise
        # Correct as a query and not as a view: the values say what the columns are.
        return [""] * width
    types = [kind for _, _, kind, *_ in columns]
    return types if len(types) == width else [""] * width


@contextmanager
def functions_seen(connection: sa.Connection) -> Iterator[set[str]]:
    """The names of the functions, in lower case, that statements prepared in this block call.

    Those inside views are among them, since SQLite itself tells.
    """
    seen: set[str] = set()

    def note(action: int, _: str | None, name: str | None, *__: str | None) -> int:
        if action == sqlite3.SQLITE_FUNCTION and name is not None:
            seen.add(name.lower())
        return sqlite3.SQLITE_OK

    driver = driver_connection(connection)
    driver.set_authorizer(note)
    try:
        yield seen
    finally:
        driver.set_authorizer(None)


def asks_for_chance(functions: set[str]) -> bool:
    """Whether a query with these `functions` has other rows each time it runs."""
    return not _CHANCE.isdisjoint(functions)


def kept_rows(connection: sa.Connection, query: Query, width: int) -> sa.Select[Any]:
    """Run `query` once, and return a query for the rows it had, in their order.

    They are kept in SQLite's temporary storage. Its columns have no type, which would change
    values on their way.
    """
    columns: list[sa.ColumnClause[Any]] = [sa.column(f"c{position}") for position in range(width)]
    statement, values = compile_query(query, connection.dialect)
    table = f"{_TABLE}_{next(_numbers)}"
    with _temporary(connection):
        names = ", ".join(column.name for column in columns)
        connection.exec_driver_sql(f"CREATE TEMP TABLE {table} ({names})")
        connection.exec_driver_sql(f"INSERT INTO temp.{table} {statement}", values)
    rows = sa.table(table, *columns, schema="temp")
    return sa.select(*rows.c).order_by(sa.literal_column("rowid"))


@contextmanager
def _temporary(connection: sa.Connection) -> Iterator[None]:
    """Lets statements write to temporary storage; the file itself is open for reading only."""
    connection.exec_driver_sql("PRAGMA query_only = OFF")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA query_only = ON")
