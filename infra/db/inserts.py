"""INSERT statements that tolerate a row which is already there (``ON CONFLICT``)."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

_INSERT: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def insert(connection: Connection, table: sa.Table) -> Any:
    """An INSERT in the database's own dialect, which knows ``ON CONFLICT``."""
    return insert_in(connection.dialect.name, table)


def insert_in(dialect: str, table: sa.Table) -> Any:
    """As `insert`, in the dialect of this name: for statements that are built only once."""
    return _INSERT[dialect](table)


def insert_ignoring(connection: Connection, table: sa.Table, *returning: Any) -> Any:
    """An INSERT that does nothing where a unique index already holds the row.

    Pass the row to `execute` rather than to `values`: then the statement is compiled only once.
    """
    return _ignoring(connection.dialect.name, table, *returning)


@cache
def _ignoring(dialect: str, table: sa.Table, *returning: Any) -> Any:
    statement = _INSERT[dialect](table).on_conflict_do_nothing()
    return statement.returning(*returning) if returning else statement
