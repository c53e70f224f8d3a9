"""Queries an operator can export without a dataset: a whole table, or their own SQL."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.databases import finds_tables, parse_database_url, row_session
from waybill.infra.sources.errors import SourceRejected, by_driver
from waybill.infra.sources.statements import STANDARD, SYNTAXES, one_query
from waybill.infra.sources.table_names import Name, meanings, nearest

#: Schemas of the databases' own, which hold no tables of users.
_SYSTEM_SCHEMAS = frozenset(
    {"information_schema", "mysql", "performance_schema", "pg_catalog", "pg_toast", "sys"}
)

#: Names between dots, each bare or in quotes: nothing that could be more than a name.
_PART = r"""(?:\w[\w$]*|"(?:[^"]|"")+"|`[^`]+`)"""
_TABLE_NAME = re.compile(rf"{_PART}(?:\.{_PART}){{0,3}}")


def table_query(url: str, name: str, schema: str | None = None) -> sa.Select[Any]:
    """All columns of a table or view, in the order of its primary key if it has one.

    `name` is read as the database's own client reads it: quoted or not, qualified or not, as in
    ``public.orders`` or ``"Sales 2024"."Orders"``. A table whose own name has a dot wins.

    Raises:
        SourceRejected: there is no such table or view; the text names those that are alike.
        SourceUnavailable: the database cannot be reached.
        InvalidRequest: not a database URL, no driver for it is installed, or `name` is none.
    """
    parsed = parse_database_url(url)
    if not finds_tables(parsed):
        return _named(name)
    session = row_session(parsed)
    try:
        with session.connect() as connection:
            table = _reflect(connection, name, schema)
    except session.errors as error:
        raise by_driver(error) from None
    # The alias is for DuckDB, where a file that is named like a table goes by another name.
    rows = table.alias("waybill_table") if session.names_files else table
    return sa.select(rows).order_by(*(rows.c[key.name] for key in table.primary_key))


def _named(name: str) -> sa.Select[Any]:
    """All rows of a table that the server will look for, in the order in which it sends them."""
    if not _TABLE_NAME.fullmatch(name):
        raise InvalidRequest(
            "A table of this kind of database is named as in its own SQL: orders, sales.orders"
            ' or "Sales 2024"."Orders".'
        )
    return sa.select(sa.text("*")).select_from(sa.text(name))


def _reflect(connection: sa.Connection, name: str, schema: str | None) -> sa.Table:
    inspector = sa.inspect(connection)
    backend = connection.dialect.name
    choices = (
        [(schema, name)] if schema else meanings(name, backend, connection.engine.url.database)
    )
    for schema_name, table_name in choices:
        if _has_table(inspector, table_name, schema_name):
            with warnings.catch_warnings():
                # A type SQLAlchemy does not know is no obstacle: the database reads it as text.
                warnings.simplefilter("ignore", sa.exc.SAWarning)
                return sa.Table(
                    table_name,
                    sa.MetaData(),
                    schema=schema_name,
                    autoload_with=connection,
                    resolve_fks=False,
                )
    alike = nearest(name, _names(inspector, backend), backend)
    remedy = f"; did you mean {' or '.join(alike)}?" if alike else "."
    raise SourceRejected(f"There is no table or view {name!r} in the source database{remedy}")


def _has_table(inspector: sa.Inspector, name: str, schema: str | None) -> bool:
    try:
        return inspector.has_table(name, schema)
    except sa.exc.OperationalError:
        # SQLite has no other schemas than its files, and says so by failing.
        if inspector.dialect.name != "sqlite":
            raise
        return False


def _names(inspector: sa.Inspector, backend: str) -> Iterator[Name]:
    """All tables and views, by their schemas where it takes one to name them."""
    default = inspector.default_schema_name
    for schema in inspector.get_schema_names():
        if schema in _SYSTEM_SCHEMAS or schema.startswith("pg_temp"):
            continue
        names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        if backend == "postgresql":
            names += inspector.get_materialized_view_names(schema)
        shown = None if backend != "postgresql" and schema in {default, "main"} else schema
        yield from ((shown, name) for name in names)


def text_query(sql: str, url: str | None = None) -> sa.TextClause:
    """One read-only statement as an operator wrote it; a colon in it is just a colon.

    `url` tells whose SQL it is, which decides where a string or a comment ends. The first word
    is checked as a courtesy. What keeps a query from writing is the read-only transaction it
    runs in, and what keeps it from being two statements is the server.

    Raises:
        InvalidRequest: it does not begin like a query, or is several statements.
    """
    backend = parse_database_url(url).get_backend_name() if url is not None else ""
    statement = one_query(sql, SYNTAXES.get(backend, STANDARD))
    # The line break ends a comment in the last line, since more SQL will follow it.
    return sa.text(statement.replace(":", r"\:") + "\n")
