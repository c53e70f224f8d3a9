"""The primary key of the one table that a query reads, for datasets that declare no key.

A guess, which costs little: who splits rows by the key counts them, and looks for nulls and for
values that come twice, in the snapshot that is read.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.shards.plan import TableKey

#: Seconds for which an answer is kept: most exports are small, and none should wait for this.
_KEPT_SECONDS = 60.0
#: The shortest that libpq knows, in seconds, and as long for the answer, in milliseconds.
_CONNECT_TIMEOUT, _TIMEOUT = 2, "2000"
#: More tables than these have changing names.
_MOST = 1_000

# A table that others inherit from has their rows, too, which its key says nothing of.
_KEY = """
    WITH RECURSIVE parts (oid) AS (
        SELECT pg_catalog.to_regclass(%s)::pg_catalog.oid
        UNION
        SELECT inhrelid FROM parts JOIN pg_catalog.pg_inherits ON inhparent = oid
    )
    SELECT attname, (SELECT pg_catalog.sum(pg_catalog.pg_table_size(oid)) FROM parts)
    FROM pg_catalog.pg_class AS class
    JOIN pg_catalog.pg_index ON indrelid = class.oid AND indisprimary AND indnatts = 1
    JOIN pg_catalog.pg_attribute ON attrelid = class.oid AND attnum = indkey[0]
    WHERE class.oid = pg_catalog.to_regclass(%s)
        AND (relkind = 'p' OR relkind = 'r' AND NOT relhassubclass)
        AND atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype)
        AND pg_catalog.to_regproc('pg_catalog.pg_export_snapshot') IS NOT NULL
"""


class _Known(NamedTuple):
    at: float
    key: TableKey | None


class PrimaryKeys:
    """The keys of the tables of one database. Any thread may use it."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = make_conninfo(conninfo, connect_timeout=_CONNECT_TIMEOUT)
        self._known: dict[str, _Known] = {}

    def of(self, query: Query) -> TableKey | None:
        """The key by its name in `query`; None where there is none, or nobody can say.

        The table has to have a primary key of one integer or UUID column, and `query` that column,
        from no other table and without anything that changes which rows there are.
        """
        if not isinstance(query, sa.Select) or _is_in_a_schema(query):
            return None
        try:
            table = only_table(query)
        except sa.exc.SQLAlchemyError:
            # It cannot be compiled, which is for the export to say.
            return None
        if table is None:
            return None
        key = self._key_of(_written(table))
        column = None if key is None else _name_of(query, key.column)
        return TableKey(column, key.table_bytes) if key and column is not None else None

    def _key_of(self, table: str) -> TableKey | None:
        known, now = self._known.get(table), time.monotonic()
        if known is None or now - known.at > _KEPT_SECONDS:
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known[table] = _Known(now, self._ask(table))
        return known.key

    def _ask(self, table: str) -> TableKey | None:
        try:
            with psycopg.connect(self._conninfo) as session:
                session.read_only = True
                session.execute(
                    "SELECT pg_catalog.set_config('statement_timeout', %s, true)", [_TIMEOUT]
                )
                found = session.execute(_KEY, [table, table]).fetchone()
        except psycopg.Error:
            # What is wrong shows when the rows are read.
            return None
        return None if found is None else TableKey(found[0], int(found[1] or 0))


def only_table(query: sa.Select[Any]) -> sa.TableClause | None:
    """The table of which every row gives one row of `query`, or none; None where it is not so."""
    sources = query.get_final_froms()
    if len(sources) != 1 or not _is_plain(query):
        return None
    [source] = sources
    if isinstance(source, sa.Subquery):
        return only_table(source.element) if isinstance(source.element, sa.Select) else None
    if type(source) is sa.Alias:
        source = source.element
    return source if isinstance(source, sa.TableClause) else None


def _is_plain(query: sa.Select[Any]) -> bool:
    """Whether there is nothing in it that makes more rows, or chooses among them by number."""
    clauses = (query._limit_clause, query._offset_clause, query._fetch_clause)
    return not (
        query._distinct
        or query._group_by_clauses
        or query._having_criteria
        or query._prefixes
        or query._suffixes
        or query._for_update_arg is not None
        or any(clause is not None for clause in clauses)
    )


def _name_of(query: sa.Select[Any], column: str) -> str | None:
    """What `query` calls the table's `column`; None where it does not have it under one name."""
    # Not everything that is selected has a name: a query in brackets has none.
    names = [getattr(item, "name", None) for item in query.selected_columns]
    found = [item.name for item in query.selected_columns if _is_column(item, column)]
    return str(found[0]) if found and names.count(found[0]) == 1 else None


def _is_column(item: sa.ColumnElement[Any], name: str) -> bool:
    """Whether `item` is the column called `name` of a table, under any label."""
    return any(
        isinstance(base, sa.ColumnClause) and base.table is not None and base.name == name
        for base in item.base_columns
    )


def _written(table: sa.TableClause) -> str:
    """The table's name as it stands in the statement."""
    dialect: sa.Dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    return dialect.identifier_preparer.format_table(table)


def _is_in_a_schema(query: sa.Select[Any]) -> bool:
    """Whether its tables have other names than they say, as Waybill's own have."""
    return "schema_translate_map" in query.get_execution_options()
