"""SQLite as a source: a snapshot by an explicit ``BEGIN``, and types by the values found.

SQLite lets any column hold any value, and a declared type is a hint. So the pass that counts
the rows also asks, in the same snapshot and at the speed of SQL, whether every value has the
form its column declares: that is a column's type then, also where SQLite has no such type of
its own (booleans, decimals, dates). Where not, a second pass asks ``typeof()``: the column
gets the one type its values share, and text if they are mixed. So nothing is lost, and no
value that turns up late can end an export.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.rows.session import ReadPlan, RowSession, described, driver_connection
from waybill.infra.sources.sqlite.column_types import declared_column

#: How long a reader waits where a writer can block it: only outside WAL mode.
_BUSY_SECONDS = 15.0

#: SQLite returns at most 2,000 columns by default. (SQLITE_MAX_COLUMN)
_QUESTIONS_AT_ONCE = 1500

# The last part is read from the file, and so takes the snapshot.
_BEGIN = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), (SELECT count(*) FROM sqlite_master)"


class SqliteSession(RowSession):
    """Reads one SQLite file, opened read-only, so that a missing one is not created."""

    def __init__(self, url: sa.URL) -> None:
        dialect = SQLiteDialect_pysqlite()
        (database, *_), options = dialect.create_connect_args(url.set(drivername="sqlite+pysqlite"))
        if database != ":memory:" and not options.get("uri"):
            database = f"{Path(database).absolute().as_uri()}?mode=ro"
        # The driver starts no transactions of its own, and `cancel` comes from another thread.
        settings = {"timeout": _BUSY_SECONDS, **options, "uri": True, "isolation_level": None}
        settings["check_same_thread"] = False
        super().__init__(
            sa.URL.create("sqlite+pysqlite"), creator=lambda: sqlite3.connect(database, **settings)
        )

    def begin(self, connection: sa.Connection) -> datetime:
        """Start the snapshot, and return its time."""
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("BEGIN")
        taken, _ = connection.exec_driver_sql(_BEGIN).one()
        return datetime.fromisoformat(taken)

    def plan(self, connection: sa.Connection, query: Query, *, count: bool) -> ReadPlan:
        """How each column is read, by all its values; and the number of rows, if asked for."""
        rows, names = described(connection, query)
        declared = [
            declared_column(name, column, connection.dialect)
            for name, column in zip(names, rows.c, strict=True)
        ]
        checks = [sa.func.max(column.out_of_range) for column in declared]
        total, *failed = _ask(connection, rows, [sa.func.count(), *checks])
        unresolved = [column for column, out in zip(declared, failed, strict=True) if out]
        questions = [item for column in unresolved for item in column.storage_class_query]
        answers = iter(_ask(connection, rows, questions))
        columns = [
            column.resolve_type(next(answers), next(answers), next(answers))
            if out
            else column.column
            for column, out in zip(declared, failed, strict=True)
        ]
        return ReadPlan(columns, total if count else None)

    def before_reading(self, connection: sa.Connection) -> None:
        """Take texts as bytes: SQLite does not see to it that they are UTF-8."""
        driver_connection(connection).text_factory = bytes

    def interrupt(self, driver: sqlite3.Connection) -> None:
        """End the running statement."""
        driver.interrupt()


def _ask(
    connection: sa.Connection, rows: sa.Subquery, questions: Sequence[sa.ColumnElement[Any]]
) -> list[Any]:
    """The answers to aggregate `questions` about all of `rows`."""
    answers: list[Any] = []
    for start in range(0, len(questions), _QUESTIONS_AT_ONCE):
        some = questions[start : start + _QUESTIONS_AT_ONCE]
        answers.extend(connection.execute(sa.select(*some).select_from(rows)).one())
    return answers
