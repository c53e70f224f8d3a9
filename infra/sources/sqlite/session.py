"""SQLite as a source: a snapshot by an explicit ``BEGIN``, and types checked against the values.

SQLite lets any column hold any value, and a declared type is a hint. So the pass that counts
the rows also asks, in the same snapshot and at the speed of SQL, whether every value has the
form its column declares: that is a column's type then, also where SQLite has no such type of
its own (booleans, decimals, dates). Where not, the column is text that is marked with its
declared kind, and each odd value is carried as it is. A column that declares nothing gets the
one type its values share, and is text if they are mixed. So nothing is lost, and no value that
turns up late can end an export.

That pass takes as long as reading. An export that can begin again goes without it for the types
that are checked while reading (`assumed_columns`), and makes up for it where they are wrong.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.rows.chunks import chunked_batches
from waybill.infra.sources.rows.columns import RowColumn, batches
from waybill.infra.sources.rows.session import ReadPlan, RowSession, described, driver_connection
from waybill.infra.sources.sqlite.assumed_columns import assumed
from waybill.infra.sources.sqlite.column_types import DeclaredColumn, StoredText, declared_column
from waybill.infra.sources.sqlite.opening import OpenedFile, SqliteFile
from waybill.infra.sources.sqlite.query_columns import (
    asks_for_chance,
    declared_types,
    functions_seen,
    kept_rows,
)
from waybill.infra.sources.sqlite.reading import SqliteRows, may_be_limited

_Answer = TypeVar("_Answer")

#: SQLite takes at most 32,766 values and a million bytes in one statement by default, and checking
#: a timestamp takes 26 values and 950 bytes. (SQLITE_MAX_VARIABLE_NUMBER, _SQL_LENGTH)
_QUESTIONS_AT_ONCE = 500

#: Collations belong to the program that made a file, and not to the file.
_MISSING_COLLATION = re.compile("no such collation sequence: (.*)", re.DOTALL)

# The last part is read from the file, and so takes the snapshot.
_BEGIN = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), (SELECT count(*) FROM sqlite_master)"


@dataclass(frozen=True, slots=True)
class SqlitePlan(ReadPlan):
    """A plan, and how SQLite's driver has to hand out the rows."""

    #: What texts become. Texts as bytes need not be UTF-8.
    texts_as: type[str] | type[bytes] = bytes
    #: Whether SQLite may refuse large values.
    may_be_limited: bool = False


class SqliteSession(RowSession):
    """Reads one SQLite file, opened read-only, so that a missing one is not created."""

    has_snapshot = True

    def __init__(self, url: sa.URL) -> None:
        super().__init__(sa.URL.create("sqlite+pysqlite"), creator=SqliteFile(url).open)

    def begin(self, connection: sa.Connection) -> datetime:
        """Start the snapshot, and return its time."""
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("BEGIN")
        taken, _ = connection.exec_driver_sql(_BEGIN).one()
        return datetime.fromisoformat(taken)

    def plan(
        self, connection: sa.Connection, query: Query, *, count: bool, assuming: bool = False
    ) -> ReadPlan:
        """How each column is read, by all its values; and the number of rows, if asked for.

        A query with ``random()`` is run once, and its rows are kept: they are counted, checked
        and exported as they came.
        """
        work = partial(self._plan, connection, query, count, assuming)
        return _whatever_the_collations(connection, work)

    def count(self, connection: sa.Connection, query: Query) -> int:
        """How many rows the query has."""
        return _whatever_the_collations(connection, partial(super().count, connection, query))

    def _plan(
        self, connection: sa.Connection, query: Query, count: bool, assuming: bool
    ) -> ReadPlan:
        # Another query of this transaction may have been read before.
        driver: OpenedFile = driver_connection(connection)
        driver.text_factory = str
        with functions_seen(connection) as functions:
            rows, names = described(connection, query)
        declarations = declared_types(connection, query, len(names))
        kinds = [column.type for column in rows.c]
        instead = None
        if asks_for_chance(functions):
            instead = kept_rows(connection, query, len(names))
            rows = instead.order_by(None).subquery("waybill_rows")
            # They are kept for this plan, and no second one can have them.
            assuming = False
        declared = [
            declared_column(name, sa.type_coerce(column, kind), declaration, connection.dialect)
            for name, column, kind, declaration in zip(
                names, rows.c, kinds, declarations, strict=True
            )
        ]
        columns, total = _columns(connection, rows, declared, count, assuming)
        if assuming and any(StoredText in (column.text_types or ()) for column in columns):
            assuming = False
            columns, total = _columns(connection, rows, declared, count, assuming)
        # Bytes are made without a call of Python's.
        texts_as: type[str] | type[bytes] = bytes
        if assuming:
            texts_as = str
        elif any(StoredText in (column.text_types or ()) for column in columns):
            texts_as = StoredText
        return SqlitePlan(
            columns,
            total if count else None,
            instead,
            texts_as=texts_as,
            may_be_limited=instead is None and may_be_limited(driver, functions),
        )

    def run(self, connection: sa.Connection, query: Query, plan: ReadPlan) -> SqliteRows:
        """Run the query past SQLAlchemy, which would make an object of its own of each row."""
        if not isinstance(plan, SqlitePlan):
            raise TypeError("the plan of another database")
        statement, values = compile_query(query, connection.dialect)
        driver: OpenedFile = driver_connection(connection)
        driver.text_factory = plan.texts_as
        return SqliteRows(driver, statement, values, limited=plan.may_be_limited)

    def batches(
        self,
        result: SqliteRows,
        columns: Sequence[RowColumn],
        made_text: Counter[int],
        call: Callable[[], AbstractContextManager[None]],
    ) -> Iterator[pa.RecordBatch]:
        """The rows of `result`; from the first large value on, few at a time."""

        def fetch(rows: int) -> list[tuple[Any, ...]]:
            with call():
                return result.fetchmany(rows)

        if result.is_limited:
            yield from chunked_batches(fetch, columns, made_text)
            if not result.is_cut_short:
                return
            with call():
                result.begin_again()
        yield from batches(fetch, columns, made_text)

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


def _columns(
    connection: sa.Connection,
    rows: sa.Subquery,
    declared: Sequence[DeclaredColumn],
    count: bool,
    assuming: bool,
) -> tuple[list[RowColumn], int | None]:
    """How each column is read, and the number of rows where somebody asked for anything.

    With `assuming`, nothing is asked about columns that can be checked while they are read.
    """
    certain = [_certain(column, assuming) for column in declared]
    asked = [column for column, known in zip(declared, certain, strict=True) if known is None]
    total: int | None = None
    resolved: Iterator[RowColumn] = iter(())
    if count or asked:
        questions = [question for column in asked for question in _first_questions(column)]
        total, *answers = _ask(connection, rows, [sa.func.count(), *questions])
        resolved = iter(_resolved(connection, rows, asked, iter(answers)))
    return [known or next(resolved) for known in certain], total


def _certain(column: DeclaredColumn, assuming: bool) -> RowColumn | None:
    """How a column is read about which nothing has to be asked."""
    if column.out_of_range is None:
        return column.column
    return assumed(column.column) if assuming and not column.is_undeclared else None


def _first_questions(column: DeclaredColumn) -> Sequence[sa.ColumnElement[Any]]:
    if column.is_undeclared:
        return column.storage_class_query
    return (sa.func.max(column.out_of_range),)


def _resolved(
    connection: sa.Connection,
    rows: sa.Subquery,
    asked: Sequence[DeclaredColumn],
    answers: Iterator[Any],
) -> list[RowColumn]:
    """How the columns are read, by the answers to their first questions and, if odd, to others."""
    found: list[tuple[Any, ...] | None] = []
    for column in asked:
        if column.is_undeclared:
            found.append((next(answers), next(answers), next(answers)))
        else:
            found.append(() if next(answers) else None)
    odd = [column for column, seen in zip(asked, found, strict=True) if seen == ()]
    others = [question for column in odd for question in column.storage_class_query]
    more = iter(_ask(connection, rows, others))
    return [
        column.column
        if seen is None
        else column.resolve_type(*(seen or (next(more), next(more), next(more))))
        for column, seen in zip(asked, found, strict=True)
    ]


def _ask(
    connection: sa.Connection, rows: sa.Subquery, questions: Sequence[sa.ColumnElement[Any]]
) -> list[Any]:
    """The answers to aggregate `questions` about all of `rows`."""
    answers: list[Any] = []
    for start in range(0, len(questions), _QUESTIONS_AT_ONCE):
        some = questions[start : start + _QUESTIONS_AT_ONCE]
        answers.extend(connection.execute(sa.select(*some).select_from(rows)).one())
    return answers
