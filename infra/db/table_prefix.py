"""A prefix of the task tables' names, where there are no schemas: on SQLite.

The tables, and all statements of this package and of the migrations, have their plain names. The
prefix is added to the text of a statement just before it runs: to names of tables, indexes and
triggers, which share one namespace in a file, and to nothing else. No column has the name of a
table (`tests/contract/test_table_prefix.py`), and texts in quotes are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.sql import visitors

from waybill.infra.db.tables import VERSION_TABLE, metadata

_OPTION = "waybill_table_prefix"
_TABLES = "|".join(sorted({*metadata.tables, VERSION_TABLE}, key=len, reverse=True))
#: A text in quotes, or a name of ours that is no column of a table.
_NAME = re.compile(
    rf"'(?:[^']|'')*'|(?<![.\w])((?:ix|uq)_(?:{_TABLES})_\w+|(?:{_TABLES})(?:_no_\w+|_next)?)(?!\w)"
)


class TablePrefix(str):
    """The name that stands before each table's, without the ``_`` between them."""

    __slots__ = ()

    def attach(self, engine: Engine) -> None:
        """Let all statements of `engine` name the tables with the prefix."""
        event.listen(engine, "engine_connect", self._mark)
        event.listen(engine, "before_cursor_execute", _rename, retval=True)

    def _mark(self, connection: Connection) -> None:
        connection.execution_options(**{_OPTION: self})

    @contextmanager
    def lent(self, connection: Connection) -> Iterator[None]:
        """The same for a `connection` of somebody else, and only in this block."""
        before = connection.get_execution_options().get(_OPTION)
        event.listen(connection, "before_cursor_execute", _rename, retval=True)
        try:
            connection.execution_options(**{_OPTION: self})
            yield
        finally:
            connection.execution_options(**{_OPTION: before})
            event.remove(connection, "before_cursor_execute", _rename)

    def apply(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """`statement` for a connection that is not marked: with the tables' whole names in it."""
        named = {
            table: table.to_metadata(sa.MetaData(), name=f"{self}_{table.name}")
            for table in metadata.tables.values()
        }

        def rename(element: Any, **_: Any) -> Any:
            if isinstance(element, sa.Table):
                return named.get(element)
            if isinstance(element, sa.Column) and element.table in named:
                return named[element.table].c[element.key]
            return None

        return cast("sa.Select[Any]", visitors.replacement_traverse(statement, {}, rename))


def prefix_of(connection: Connection) -> TablePrefix | None:
    """The prefix that statements on `connection` get."""
    prefix: TablePrefix | None = connection.get_execution_options().get(_OPTION)
    return prefix


def prefixed(connection: Connection, name: str) -> str:
    """The name in the file of a table, an index or a trigger of ours."""
    prefix = prefix_of(connection)
    return f"{prefix}_{name}" if prefix else name


def _rename(
    connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any
) -> tuple[str, Any]:
    prefix = prefix_of(connection)
    return (_renamed(statement, prefix) if prefix else statement), parameters


#: Statements are compiled once; those with lists of values of many lengths are not kept for ever.
@lru_cache(2048)
def _renamed(statement: str, prefix: str) -> str:
    return _NAME.sub(lambda found: f"{prefix}_{found[1]}" if found[1] else found[0], statement)
