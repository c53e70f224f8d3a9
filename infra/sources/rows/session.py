"""One database as SQLAlchemy reaches it: connecting, snapshot, column types, cancelling.

`RowSession` is for any database SQLAlchemy knows: the strongest snapshot it offers, and types
as they are declared. SQLite and MySQL need more, and bring their own subclass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.arrow_types import declared_field, seen_field
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.rows.columns import RowColumn, batches

#: The first of these that the database has is used; without any, there is no snapshot.
_SNAPSHOTS = ("REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE")

#: Few, because these rows may be as large as any.
_ROWS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What is known before the first row is read: the columns, and the number of rows."""

    columns: Sequence[RowColumn]
    rows: int | None
    #: What to read in place of the query, where that has other rows each time it runs.
    instead: Query | None = None


class RowSession:
    """Opens connections to one database, and knows what its values look like."""

    #: Whether a table can be a file, named by its path.
    names_files = False
    #: Whether all statements of a transaction see every table as it was at one moment. Levels of
    #: isolation have the same names everywhere and do not promise that everywhere.
    has_snapshot = False

    def __init__(self, url: sa.URL, **options: Any) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True, **options)
        driver = self._engine.dialect.loaded_dbapi
        #: What this database's driver, or SQLAlchemy above it, may raise.
        self.errors: tuple[type[Exception], ...] = (sa.exc.SQLAlchemyError, driver.Error)

    def connect(self) -> sa.Connection:
        """A new connection of its own."""
        return self._engine.connect()

    def writing_engine(self) -> sa.Engine:
        """An engine of the same connections that begins and commits transactions."""
        return self._engine.execution_options(isolation_level="REPEATABLE READ")

    def begin(self, connection: sa.Connection) -> datetime:
        """Start the snapshot, and return its time; by our own clock where theirs has no zone."""
        levels = connection.dialect.get_isolation_level_values(driver_connection(connection))
        level = next((level for level in _SNAPSHOTS if level in levels), None)
        if level is not None:
            connection.execution_options(isolation_level=level)
        now = connection.execute(sa.select(sa.func.now())).scalar_one()
        return now if isinstance(now, datetime) and now.tzinfo else datetime.now(UTC)

    def plan(
        self, connection: sa.Connection, query: Query, *, count: bool, assuming: bool = False
    ) -> ReadPlan:
        """How each column is read and, with `count`, how many rows there are.

        With `assuming`, columns may be assumed to hold what they declare; `batches` raises
        `NotAsDeclared` if they do not.

        Declared types are taken at their word. A column without one, as in a `text()`, gets
        the type that all its values have, and for that every row is read once more.
        """
        rows, names = described(connection, query)
        declared = [self.column(name, kind.type) for name, kind in zip(names, rows.c, strict=True)]
        if None in declared:
            total, seen = _types_seen(connection, query, len(names))
            fields = [seen_field(name, types) for name, types in zip(names, seen, strict=True)]
            columns = [
                column or RowColumn(field) for column, field in zip(declared, fields, strict=True)
            ]
            return ReadPlan(columns, total if count else None)
        columns = [column for column in declared if column is not None]
        return ReadPlan(columns, _counted(connection, rows) if count else None)

    def count(self, connection: sa.Connection, query: Query) -> int:
        """How many rows the query has."""
        rows, _ = described(connection, query)
        return _counted(connection, rows)

    def column(self, name: str, kind: sa.types.TypeEngine[Any]) -> RowColumn | None:
        """How a column declared as `kind` is read; None when that does not say enough."""
        field = declared_field(name, kind, self._engine.dialect)
        return RowColumn(field) if field is not None else None

    def run(self, connection: sa.Connection, query: Query, plan: ReadPlan) -> Any:
        """Run the query as planned, without reading a row.

        What it returns is for `batches` and `abandon`.
        """
        return stream(connection, query)

    def batches(
        self,
        result: Any,
        columns: Sequence[RowColumn],
        made_text: Counter[int],
        call: Callable[[], AbstractContextManager[None]],
    ) -> Iterator[pa.RecordBatch]:
        """The rows of `result`, bounded in rows and bytes; each call to the driver in a `call`."""

        def fetch(rows: int) -> Sequence[Sequence[Any]]:
            with call():
                fetched: Sequence[Sequence[Any]] = result.fetchmany(rows)
                return fetched

        return batches(fetch, columns, made_text)

    def after_reading(self, connection: sa.Connection) -> None:
        """Called once, after the last row.

        Raises:
            SourceUnavailable: the rows may not be those of one moment.
        """

    def interrupt(self, driver: Any) -> None:
        """End the statement that a driver's connection runs, from any thread, if that can be."""
        cancel: Callable[[], object] | None = getattr(driver, "cancel", None)
        if cancel is not None:
            cancel()

    def abandon(self, driver: Any, result: Any) -> None:
        """Close a result that may not be at its end, before the connection is closed."""
        result.close()


def driver_connection(connection: sa.Connection) -> Any:
    """The driver's own connection object."""
    return connection.connection.driver_connection


def described(connection: sa.Connection, query: Query) -> tuple[sa.Subquery, list[str]]:
    """`query` as a subquery, and the names the database itself gives its columns.

    Raises:
        SourceRejected: the query has columns SQLAlchemy does not know of.
    """
    if isinstance(query, sa.Select):
        rows = query.subquery("waybill_rows")
        names = _names(connection, rows)
        if len(names) != len(rows.c):
            raise SourceRejected("Label each column; text with several columns is not one.")
        return rows, names
    names = _names(connection, query.columns().subquery("waybill_rows"))
    return query.columns(*map(sa.column, names)).subquery("waybill_rows"), names


def _counted(connection: sa.Connection, rows: sa.Subquery) -> int:
    total: int = connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar_one()
    return total


def _names(connection: sa.Connection, rows: sa.Subquery) -> list[str]:
    nothing = sa.select(sa.text("*")).select_from(rows).where(sa.false())
    return list(connection.execute(nothing).keys())


def stream(connection: sa.Connection, query: Query) -> sa.CursorResult[Any]:
    """Run `query` with a server-side cursor; its rows hold the driver's own values."""
    statement, values = compile_query(query, connection.dialect)
    return connection.exec_driver_sql(statement, values, execution_options={"stream_results": True})


def _types_seen(
    connection: sa.Connection, query: Query, width: int
) -> tuple[int, list[set[type[object]]]]:
    """The number of rows, and the Python types of the values in each column."""
    seen: list[set[type[object]]] = [set() for _ in range(width)]
    total = 0
    with stream(connection, query) as result:
        while rows := result.fetchmany(_ROWS_AT_ONCE):
            total += len(rows)
            for types, values in zip(seen, zip(*rows, strict=True), strict=True):
                types.update(_type_of(value) for value in values if value is not None)
    return total, seen


def _type_of(value: object) -> type[object]:
    # Python's integers have no end, and Arrow's do.
    too_large = isinstance(value, int) and not -(2**63) <= value < 2**63
    return Decimal if too_large else type(value)
