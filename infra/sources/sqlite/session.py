"""SQLite as a source: a snapshot by an explicit ``BEGIN``, and types checked against the values.

SQLite lets any column hold any value, and a declared type is a hint. So the pass that counts
the rows also asks, in the same snapshot and at the speed of SQL, whether every value has the
form its column declares: that is a column's type then, also where SQLite has no such type of
its own (booleans, decimals, dates). Where not, the column is text that is marked with its
declared kind, and each odd value is carried as it is. A column that declares nothing gets the
one type its values share, and is text if they are mixed. So nothing is lost, and no value that
turns up late can end an export.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.rows.session import ReadPlan, RowSession, described, driver_connection
from waybill.infra.sources.sqlite.column_types import StoredText, declared_column
from waybill.infra.sources.sqlite.opening import OpenedFile, SqliteFile
from waybill.infra.sources.sqlite.query_columns import (
    asks_for_chance,
    declared_types,
    functions_seen,
    kept_rows,
)

_Answer = TypeVar("_Answer")

#: SQLite takes at most 32,766 values and a million bytes in one statement by default, and checking
#: a timestamp takes 26 values and 950 bytes. (SQLITE_MAX_VARIABLE_NUMBER, _SQL_LENGTH)
_QUESTIONS_AT_ONCE = 500

#: Collations belong to the program that made a file, and not to the file.
_MISSING_COLLATION = re.compile("no such collation sequence: (.*)", re.DOTALL)

# The last part is read from the file, and so takes the snapshot.
_BEGIN = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), (SELECT count(*) FROM sqlite_master)"


class SqliteSession(RowSession):
    """Reads one SQLite file, opened read-only, so that a missing one is not created."""

    def __init__(self, url: sa.URL) -> None:
        super().__init__(sa.URL.create("sqlite+pysqlite"), creator=SqliteFile(url).open)

    def begin(self, connection: sa.Connection) -> datetime:
        """Start the snapshot, and return its time."""
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("BEGIN")
        taken, _ = connection.exec_driver_sql(_BEGIN).one()
        return datetime.fromisoformat(taken)

    def plan(self, connection: sa.Connection, query: Query, *, count: bool) -> ReadPlan:
        """How each column is read, by all its values; and the number of rows, if asked for.

        A query with ``random()`` is run once, and its rows are kept: they are counted, checked
        and exported as they came.
        """
        return _whatever_the_collations(connection, partial(self._plan, connection, query, count))

    def count(self, connection: sa.Connection, query: Query) -> int:
        """How many rows the query has."""
        return _whatever_the_collations(connection, partial(super().count, connection, query))

    def _plan(self, connection: sa.Connection, query: Query, count: bool) -> ReadPlan:
        with functions_seen(connection) as functions:
            rows, names = described(connection, query)
        declarations = declared_types(connection, query, len(names))
        kinds = [column.type for column in rows.c]
        instead = None
        if asks_for_chance(functions):
            instead = kept_rows(connection, query, len(names))
            rows = instead.order_by(None).subquery("waybill_rows")
        declared = [
            declared_column(name, sa.type_coerce(column, kind), declaration, connection.dialect)
            for name, column, kind, declaration in zip(
                names, rows.c, kinds, declarations, strict=True
            )
        ]
        checks = [
            sa.null() if column.out_of_range is None else sa.func.max(column.out_of_range)
            for column in declared
        ]
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
        driver: OpenedFile = driver_connection(connection)
        driver.marks_text = any(StoredText in (column.text_types or ()) for column in columns)
        return ReadPlan(columns, total if count else None, instead)

    def before_reading(self, connection: sa.Connection) -> None:
        """Take texts as bytes: SQLite does not see to it that they are UTF-8."""
        driver: OpenedFile = driver_connection(connection)
        # The first is made without a call of Python's.
        driver.text_factory = StoredText if driver.marks_text else bytes

    def run(self, connection: sa.Connection, query: Query) -> sqlite3.Cursor:
        """Run the query past SQLAlchemy, which would make an object of its own of each row."""
        statement, values = compile_query(query, connection.dialect)
        cursor: sqlite3.Cursor = driver_connection(connection).execute(statement, values or ())
        return cursor

    def after_reading(self, connection: sa.Connection) -> None:
        """Make sure that the rows are those of one moment, compared as the file means it."""
        driver_connection(connection).check()

    def interrupt(self, driver: sqlite3.Connection) -> None:
        """End the running statement."""
        driver.interrupt()


def _whatever_the_collations(connection: sa.Connection, work: Callable[[], _Answer]) -> _Answer:
    """The result of `work`, with stand-ins for the collations that are not here."""
    driver: OpenedFile = driver_connection(connection)
    known: set[str] = set()
    while True:
        try:
            answer = work()
        except sa.exc.OperationalError as error:
            missing = _MISSING_COLLATION.fullmatch(str(error.orig))
            if missing is None or missing[1] in known:
                raise
            known.add(missing[1])
            driver.stand_in(missing[1])
        else:
            driver.check()
            return answer


def _ask(
    connection: sa.Connection, rows: sa.Subquery, questions: Sequence[sa.ColumnElement[Any]]
) -> list[Any]:
    """The answers to aggregate `questions` about all of `rows`."""
    answers: list[Any] = []
    for start in range(0, len(questions), _QUESTIONS_AT_ONCE):
        some = questions[start : start + _QUESTIONS_AT_ONCE]
        answers.extend(connection.execute(sa.select(*some).select_from(rows)).one())
    return answers
