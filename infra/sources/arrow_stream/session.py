"""What a database has to bring to be read as an Arrow stream: one subclass of `ArrowSession` each.

The subclass connects, says which snapshot there is, describes a query's columns, runs it and
interrupts it. What every source promises beyond that is in ``source``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.arrow_stream.columns import ArrowColumn
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.counts import names_chance
from waybill.infra.sources.errors import SourceError


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL in the database's own words, and the values of its placeholders, in their order."""

    text: str
    values: tuple[Any, ...] = ()

    def selecting(self, expressions: Iterable[str], behind: str = "") -> Statement:
        """A query over this one, a derived table whose alias stands `behind` it.

        The line break ends a comment in the last line.
        """
        selected = ", ".join(expressions)
        return Statement(
            "".join(("SELECT ", selected, " FROM (", self.text, "\n)", behind)), self.values
        )


@dataclass(frozen=True, slots=True)
class ArrowPlan:
    """What is known before the first row is read."""

    columns: Sequence[ArrowColumn]
    #: What to run, the columns' own expressions included.
    statement: Statement
    #: How many rows the database counts in this snapshot.
    rows: int | None
    #: How many rows to ask the driver for at once.
    rows_at_once: int
    #: The rows, where the query has been run to learn its columns.
    reader: pa.RecordBatchReader | None = None


class ArrowSession(ABC):
    """Opens connections to one database, runs queries in them, and ends them."""

    #: What the driver may raise.
    errors: tuple[type[Exception], ...]
    #: Writes the queries of datasets.
    dialect: sa.Dialect
    #: Whether all statements of a connection see the rows of one moment. Without a snapshot,
    #: rows are not counted before they are read: another number would prove nothing.
    has_snapshot = True

    @property
    def has_common_snapshot(self) -> bool:
        """Whether that moment is one for every table there is, so that several can be read."""
        return self.has_snapshot

    @abstractmethod
    def connect(self) -> Any:
        """A new connection of the driver's."""

    @abstractmethod
    def begin(self, driver: Any) -> datetime:
        """Start the snapshot, and return its time; by our own clock where theirs is not known."""

    @abstractmethod
    def plan(self, driver: Any, statement: Statement, *, count: bool) -> ArrowPlan:
        """How each column is read and, with `count`, how many rows there are."""

    @abstractmethod
    def count(self, driver: Any, statement: Statement) -> int:
        """How many rows the query has."""

    @abstractmethod
    def read(self, driver: Any, plan: ArrowPlan) -> Iterator[pa.RecordBatch]:
        """Run the query; each step may block."""

    @abstractmethod
    def interrupt(self, driver: Any) -> None:
        """End the statement that a connection runs, from any thread, if that can be."""

    @abstractmethod
    def close(self, driver: Any) -> None:
        """End the connection, and a statement that still runs on it."""

    @abstractmethod
    def translate(self, error: Exception) -> SourceError:
        """The error for what the driver raised, without SQL, values, addresses or passwords."""

    def render(self, query: Query) -> Statement:
        """`query` as SQL of this database.

        Raises:
            SourceRejected: it cannot be written for this database.
        """
        text, values = compile_query(query, self.dialect)
        return Statement(text, values if isinstance(values, tuple) else tuple(values.values()))

    def gives_other_rows(self, statement: Statement) -> bool:
        """Whether the query may have other rows each time, so that a count proves nothing."""
        return names_chance(statement.text, self.dialect.name)
