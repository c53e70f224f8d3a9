"""Queries an operator can export without a dataset: a whole table, or their own SQL."""

from __future__ import annotations

import re
import warnings
from typing import Any

import sqlalchemy as sa

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.databases import parse_database_url, row_session
from waybill.infra.sources.errors import SourceRejected, by_driver

#: Comments and parentheses may come before the word that says what a statement does.
_QUERY = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:select|with|values|table)\b", re.IGNORECASE | re.DOTALL
)


def table_query(url: str, name: str, schema: str | None = None) -> sa.Select[Any]:
    """All columns of a table or view, in the order of its primary key if it has one.

    `name` may be qualified, as in ``public.orders``. A table whose own name has a dot wins.

    Raises:
        SourceRejected: there is no such table or view.
        SourceUnavailable: the database cannot be reached.
        InvalidRequest: not a database URL, or no driver for it is installed.
    """
    session = row_session(parse_database_url(url))
    try:
        with session.connect() as connection:
            table = _reflect(connection, name, schema)
    except session.errors as error:
        raise by_driver(error) from None
    return sa.select(table).order_by(*table.primary_key.columns)


def _reflect(connection: sa.Connection, name: str, schema: str | None) -> sa.Table:
    inspector = sa.inspect(connection)
    choices = [(schema, name)]
    if schema is None and "." in name:
        qualifier, _, rest = name.partition(".")
        choices.append((qualifier, rest))
    for schema_name, table_name in choices:
        if inspector.has_table(table_name, schema_name):
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
    raise SourceRejected(f"There is no table or view {name!r} in the source database.")


def text_query(sql: str) -> sa.TextClause:
    """One read-only statement as an operator wrote it; a colon in it is just a colon.

    The first word is checked as a courtesy. What keeps a query from writing is the read-only
    transaction it runs in, and what keeps it from being two statements is the server.

    Raises:
        InvalidRequest: it does not begin like a query.
    """
    statement = sql.strip().rstrip(";").rstrip()
    if not _QUERY.match(statement):
        raise InvalidRequest("Only a query can be exported: one SELECT, or WITH … SELECT.")
    # The line break ends a comment in the last line, since more SQL will follow it.
    return sa.text(statement.replace(":", r"\:") + "\n")
