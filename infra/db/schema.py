"""The schema of the task tables on PostgreSQL: named by a setting, or found. A prefix on SQLite.

Statements name the schema themselves, by a map that each connection carries. A ``search_path``
of the session would be lost in PgBouncer, which gives each transaction another session, and would
remain on connections that belong to a host application.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.table_prefix import TablePrefix, prefix_of

#: Where the tables are made when nobody names a schema and they are nowhere yet.
DEFAULT_SCHEMA = "waybill"
_MAP = "schema_translate_map"
#: Two columns that another program's table of this name does not have. From the catalogue: a name
#: in a schema that the account may not use would be an error.
_FIND = """
    SELECT n.nspname FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'export_task'
    AND (n.nspname = 'public' OR n.nspname = ANY (pg_catalog.current_schemas(false)))
    AND 2 = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attname IN ('lease_owner', 'dedupe_key'))
    ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(false), n.nspname) LIMIT 1
"""


class TableSchema:
    """The schema in which an engine has its task tables.

    SQLite has no schemas: there a name becomes a prefix of the tables. On PostgreSQL, without a
    name, it is the one in which the search path or ``public`` has them already, and
    `DEFAULT_SCHEMA` if they are in neither: the first connection finds out, once.
    """

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._lock = Lock()

    def attach(self, engine: Engine) -> None:
        """Let all connections of `engine` name it."""
        if engine.dialect.name != "postgresql":
            if self._name is not None:
                TablePrefix(self._name).attach(engine)
            return
        event.listen(engine, "connect", self._find)
        event.listen(engine, "engine_connect", self._translate)

    def of(self, engine: Engine) -> str | None:
        """Its name; connects if it is not known yet. On SQLite the prefix, if there is one."""
        if engine.dialect.name != "postgresql":
            return TablePrefix(self._name) if self._name is not None else None
        if self._name is None:
            with engine.connect():
                pass
        return self._name

    def _find(self, connection: Any, _record: Any) -> None:
        with self._lock:
            if self._name is not None:
                return
            connection.autocommit = True
            found = connection.execute(_FIND).fetchone()
            connection.autocommit = False
            self._name = found[0] if found else DEFAULT_SCHEMA

    def _translate(self, connection: Connection) -> None:
        connection.execution_options(**{_MAP: {None: self._name}})


def schema_of(connection: Connection) -> str | None:
    """The schema that statements on `connection` name; None where the search path decides."""
    names = connection.get_execution_options().get(_MAP) or {}
    name: str | None = names.get(None)
    return name


def naming_of(connection: Connection) -> str | None:
    """What `naming_schema` takes: the schema of `connection`, or its prefix on SQLite."""
    return prefix_of(connection) or schema_of(connection)


def in_schema(statement: sa.Select[Any], schema: str | None) -> sa.Select[Any]:
    """`statement` with its tables in `schema`, for connections that are not the engine's own."""
    if isinstance(schema, TablePrefix):
        return schema.apply(statement)
    return statement.execution_options(**{_MAP: {None: schema}}) if schema else statement


@contextmanager
def naming_schema(connection: Connection, schema: str | None) -> Iterator[None]:
    """Let statements on a `connection` of somebody else name `schema`, and only in this block."""
    if isinstance(schema, TablePrefix):
        with schema.lent(connection):
            yield
        return
    before = connection.get_execution_options().get(_MAP)
    connection.execution_options(**{_MAP: {None: schema} if schema else None})
    try:
        yield
    finally:
        connection.execution_options(**{_MAP: before})


def qualified(connection: Connection, name: str) -> str:
    """`name` of a table or function, with the schema of `connection`, quoted where it must be."""
    schema = schema_of(connection)
    return f"{connection.dialect.identifier_preparer.quote(schema)}.{name}" if schema else name
