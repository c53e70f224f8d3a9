"""The session that reads DuckDB: a file that is opened read-only, or the files of a lake.

A file is a snapshot by itself: DuckDB lets no other process write it while it is open for reading.
A lake of Parquet files has none. That the rows counted are those read is checked for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.arrow_stream.columns import ArrowColumn
from waybill.infra.sources.arrow_stream.session import ArrowPlan, ArrowSession, Statement
from waybill.infra.sources.batches import MAX_BYTES, MAX_ROWS
from waybill.infra.sources.duckdb.columns import UNKNOWN, checks, column
from waybill.infra.sources.duckdb.connection import SharedConnection
from waybill.infra.sources.duckdb.dialect import DRIVER_NAME, DuckdbDialect
from waybill.infra.sources.duckdb.errors import by_duckdb, by_opening
from waybill.infra.sources.duckdb.instances import INSTANCES
from waybill.infra.sources.duckdb.url_options import DuckdbOptions, duckdb_options
from waybill.infra.sources.errors import SourceError, SourceRejected
from waybill.infra.sources.rows.session import RowSession
from waybill.infra.sources.statements import SYNTAXES, words

#: Clauses that take other rows each time: the word, and the one behind it, if that matters.
_SAMPLES = {("using", "sample"), ("tablesample", "")}


class DuckdbSession(ArrowSession):
    """Reads one DuckDB file, or the files that its URL allows.

    Raises:
        InvalidRequest: the URL has an option that is not known, or a value it cannot have.
    """

    # Arrow's reader raises an error of DuckDB's as one of the system's.
    errors = (duckdb.Error, pa.ArrowException, OSError)

    def __init__(self, url: sa.URL) -> None:
        self._options = duckdb_options(url)
        self.dialect = DuckdbDialect()

    @property
    def has_common_snapshot(self) -> bool:
        """Whether a file of its own is read; the files of a lake change one by one."""
        return self._options.path is not None

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection to the one instance that this process has of the file."""
        return INSTANCES.connect(self._options)

    def begin(self, driver: duckdb.DuckDBPyConnection) -> datetime:
        """Start the transaction, and return its time."""
        driver.execute("BEGIN TRANSACTION READ ONLY")
        began: datetime = _only_row(driver, Statement("SELECT now()"))[0]
        return began

    def plan(
        self, driver: duckdb.DuckDBPyConnection, statement: Statement, *, count: bool
    ) -> ArrowPlan:
        """How each column is read, by all its values; and the number of rows, if asked for."""
        _check_is_query(driver, statement.text)
        described = _relation(driver, statement)
        columns = [
            column(name, kind)
            for name, kind in zip(described.columns, described.types, strict=True)
        ]
        names = [f"c{position}" for position in range(len(columns))]
        behind = f" AS waybill_rows({', '.join(names)})"
        asked = ["count(*)", *checks(columns, names)]
        total, *odd, widest = _only_row(driver, statement.selecting(asked, behind))
        columns = [found.resolve(is_odd) for found, is_odd in zip(columns, odd, strict=True)]
        if any(found.select != "{0}" for found in columns):
            selected = [
                found.select.format(name) for found, name in zip(columns, names, strict=True)
            ]
            # The order of the rows is the query's own: DuckDB keeps it above a projection.
            statement = statement.selecting(selected, behind)
        columns = _with_types(driver, statement, columns)
        rows_at_once = max(1, min(MAX_ROWS, MAX_BYTES // max(int(widest), 1)))
        return ArrowPlan(columns, statement, total if count else None, rows_at_once)

    def count(self, driver: duckdb.DuckDBPyConnection, statement: Statement) -> int:
        """How many rows the query has."""
        _check_is_query(driver, statement.text)
        counted = statement.selecting(["count(*)"], " AS waybill_rows")
        return int(_only_row(driver, counted)[0])

    def read(self, driver: duckdb.DuckDBPyConnection, plan: ArrowPlan) -> Iterator[pa.RecordBatch]:
        """Run the query; rows are computed as they are asked for."""
        relation = _relation(driver, plan.statement)
        reader: Iterator[pa.RecordBatch] = relation.to_arrow_reader(plan.rows_at_once)
        return reader

    def interrupt(self, driver: duckdb.DuckDBPyConnection) -> None:
        """End the running statement."""
        driver.interrupt()

    def close(self, driver: duckdb.DuckDBPyConnection) -> None:
        """Close the connection; the last one closes the file."""
        INSTANCES.close(self._options, driver)

    def translate(self, error: Exception) -> SourceError:
        """By the word that DuckDB's text begins with."""
        return by_duckdb(error)

    def gives_other_rows(self, statement: Statement) -> bool:
        """Whether it calls for chance, or takes a sample."""
        if super().gives_other_rows(statement):
            return True
        return any(
            word == wanted and behind.lower().startswith(next_word)
            for word, behind in words(statement.text, SYNTAXES[self.dialect.name])
            for wanted, next_word in _SAMPLES
        )


class DuckdbTables(RowSession):
    """The same database through SQLAlchemy, to find its tables."""

    names_files = True

    def __init__(self, url: sa.URL) -> None:
        options = duckdb_options(url)
        catalog = Path(options.path).stem if options.path else "memory"
        super().__init__(
            sa.URL.create(DRIVER_NAME, database=catalog), creator=lambda: _shared(options)
        )

    def begin(self, connection: sa.Connection) -> datetime:
        """Not used: rows are read by `DuckdbSession`."""
        raise NotImplementedError


class DuckdbWriting(RowSession):
    """The file, opened to be written and made if it is missing: for the sample shop alone.

    Raises:
        InvalidRequest: the URL names no file, or has an option that is not known.
    """

    def __init__(self, url: sa.URL) -> None:
        path = duckdb_options(url).path
        if path is None:
            raise InvalidRequest("Only a DuckDB file can be written: duckdb:///shop.duckdb.")
        super().__init__(sa.URL.create(DRIVER_NAME), creator=lambda: _written(path))

    def writing_engine(self) -> sa.Engine:
        """An engine that begins and commits transactions."""
        return self._engine


def _written(path: str) -> SharedConnection:
    try:
        return SharedConnection(duckdb.connect(path), duckdb.DuckDBPyConnection.close)
    except duckdb.Error as error:
        raise by_opening(error, path) from None


def _shared(options: DuckdbOptions) -> SharedConnection:
    return SharedConnection(
        INSTANCES.connect(options), lambda driver: INSTANCES.close(options, driver)
    )


def _relation(driver: duckdb.DuckDBPyConnection, statement: Statement) -> duckdb.DuckDBPyRelation:
    """The query, not run yet."""
    return driver.sql(statement.text, params=list(statement.values) or None)


def _only_row(driver: duckdb.DuckDBPyConnection, statement: Statement) -> tuple[Any, ...]:
    [row] = _relation(driver, statement).fetchall()
    return tuple(row)


def _check_is_query(driver: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse what DuckDB itself does not take for one query: it would run several, one by one.

    Raises:
        SourceRejected: several statements, or one that is no query. ``COPY`` writes files.
    """
    found = driver.extract_statements(text)
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        raise SourceRejected("The query is not one valid statement that returns rows.")


def _with_types(
    driver: duckdb.DuckDBPyConnection, statement: Statement, columns: list[ArrowColumn]
) -> list[ArrowColumn]:
    """`columns`, with the Arrow types of nested ones as DuckDB makes them."""
    if all(found.field.type != UNKNOWN for found in columns):
        return columns
    nothing = statement.selecting(["*"], " AS waybill_rows LIMIT 0")
    schema = _relation(driver, nothing).to_arrow_table().schema
    return [
        ArrowColumn(pa.field(found.field.name, made.type), found.select)
        if found.field.type == UNKNOWN
        else found
        for found, made in zip(columns, schema, strict=True)
    ]
