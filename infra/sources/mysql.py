"""MySQL and MariaDB as a source: a consistent snapshot, and types checked against the values.

Both allow impossible dates (``0000-00-00``, ``2024-00-00``) and a ``time`` that goes from
-838 to 838 hours. A column that holds such a value becomes text, as it does in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.arrow_types import INSTANT, TIME
from waybill.infra.sources.rows.columns import RowColumn
from waybill.infra.sources.rows.session import ReadPlan, RowSession, described

_SESSION = (
    "SET SESSION time_zone = '+00:00'",
    # How long the server waits for a slow upload before it gives its client up; 60 by default.
    "SET SESSION net_write_timeout = 3600",
    # A migration that holds a table delays an export; it must not hang it.
    "SET SESSION lock_wait_timeout = 10",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)

#: Types of MySQL's own, of which SQLAlchemy does not know what Python makes of them.
_OWN_TYPES: dict[type[sa.types.TypeEngine[Any]], pa.DataType] = {
    mysql.BIT: pa.binary(),
    mysql.SET: pa.string(),
    # Stored as an instant, and shown in the session's zone.
    mysql.TIMESTAMP: INSTANT,
    mysql.YEAR: pa.int64(),
}

_DAY_SECONDS = 24 * 60 * 60


def _impossible_date(value: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(sa.func.month(value) == 0, sa.func.dayofmonth(value) == 0)


def _impossible_time(value: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    seconds = sa.func.time_to_sec(value)
    return sa.or_(seconds < 0, seconds >= _DAY_SECONDS)


class MysqlSession(RowSession):
    """Reads one MySQL or MariaDB database."""

    def __init__(self, url: sa.URL) -> None:
        super().__init__(url, isolation_level="AUTOCOMMIT")

    def begin(self, connection: sa.Connection) -> datetime:
        """Start the snapshot, and return its time."""
        for statement in _SESSION:
            connection.exec_driver_sql(statement)
        now: datetime = connection.exec_driver_sql("SELECT utc_timestamp(6)").scalar_one()
        return now.replace(tzinfo=UTC)

    def plan(self, connection: sa.Connection, query: Query, *, count: bool) -> ReadPlan:
        """As for any database; with `count`, columns with impossible dates and times are text."""
        plan = super().plan(connection, query, count=count)
        rows, _ = described(connection, query)
        tests = {
            position: test(value)
            for position, (column, value) in enumerate(zip(plan.columns, rows.c, strict=True))
            if (test := _range_test(column.field.type))
        }
        if not count or not tests:
            return plan
        found = connection.execute(
            sa.select(*(sa.func.max(test) for test in tests.values())).select_from(rows)
        ).one()
        out_of_range = {position for position, yes in zip(tests, found, strict=True) if yes}
        columns = [
            RowColumn(pa.field(column.field.name, pa.string()))
            if position in out_of_range
            else column
            for position, column in enumerate(plan.columns)
        ]
        return replace(plan, columns=columns)

    def column(self, name: str, kind: sa.types.TypeEngine[Any]) -> RowColumn | None:
        """How a column is read: booleans come as integers, and times as durations."""
        own = _OWN_TYPES.get(type(kind))
        if own is not None:
            return RowColumn(pa.field(name, own))
        column = super().column(name, kind)
        if column is not None and pa.types.is_boolean(column.field.type):
            return replace(column, through=(pa.int64(),))
        if column is not None and column.field.type == TIME:
            return replace(column, through=(pa.duration("us"), pa.int64()))
        return column

    def interrupt(self, driver: Any) -> None:
        """End the running statement, over a connection of its own."""
        with self.connect() as other:
            other.exec_driver_sql("KILL QUERY %s", (driver.thread_id(),))

    def abandon(self, driver: Any, result: sa.CursorResult[Any]) -> None:
        """End the statement first, since closing a cursor reads all that is left of it."""
        cursor: Any = result.cursor
        if cursor is None:
            return
        if driver.open:
            self.interrupt(driver)
        elif hasattr(cursor._result, "unbuffered_active"):
            # PyMySQL would go on to read from the connection that it has just lost.
            cursor._result.unbuffered_active = False
        # Not through SQLAlchemy, which would log the interruption as an error.
        cursor.close()


def _range_test(
    kind: pa.DataType,
) -> Callable[[sa.ColumnElement[Any]], sa.ColumnElement[bool]] | None:
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _impossible_date
    return _impossible_time if pa.types.is_time(kind) else None
