"""Ports of `exporter`: the protocols of sources, where rows come from, and sinks, where bytes go.

Adapters live in `waybill.infra.sources` and `waybill.storage`. All adapters of one port pass the
same conformance suite in ``tests/contract``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

import pyarrow as pa

from waybill.exporter.datasets.dataset import Query


class RowsAhead(Protocol):
    """What is known of rows before the first of them is read."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns; fixed before the first row is read."""
        ...

    @property
    def snapshot_at(self) -> datetime:
        """When the snapshot was taken, by the database's clock where it has one."""
        ...

    @property
    def rows_expected(self) -> int | None:
        """Rows the database counts in this snapshot; None when it was not asked to."""
        ...


class RowStream(RowsAhead, Protocol):
    """One query being read inside one snapshot. Iterate it once."""

    @property
    def read_as_text(self) -> Mapping[int, int]:
        """How many values of the batches so far were made text, by the column's position.

        Only those that no encoder can tell from others: of another type than their column, or
        bytes that are no text, where the column has no mark of its declared kind.
        """
        ...

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Batches in the query's order, bounded in rows and in bytes.

        Each carries the seal that `waybill.exporter.rows.seals.sealed` gives it, as close to the
        driver as possible, so any later corruption is detected.
        """
        ...

    def cancel(self) -> None:
        """Interrupt the running statement. Safe from any thread, at any time, twice."""
        ...


class TypesChanged(Exception):
    """Rows are not what their columns declare: `RowStream.schema` is another one from now on.

    Raised by a stream that was asked to assume the declared types, and by no other. All that was
    read so far has to be thrown away, and the stream be iterated again from its first row.
    """


@runtime_checkable
class AssumesTypes(Protocol):
    """A `RowStream` that would have to read all rows twice to be sure of its types."""

    def assume_declared_types(self) -> None:
        """Check each value while it is read, and not all of them before the first row.

        To be called before anything else. Iterating may raise `TypesChanged` then.
        """
        ...


@runtime_checkable
class PlannedStream(Protocol):
    """A stream of a database whose planner was asked on the way."""

    @property
    def rows_planned(self) -> int | None:
        """The planner's estimate of the number of rows, if there was reason to ask for it."""
        ...


@dataclass(frozen=True, slots=True)
class RowCount:
    """How many rows a query has now, which is another moment than the snapshot of any export.

    Both are None if the database did not answer in time.
    """

    counted: int | None = None
    #: The estimate of the database's planner, if it has one.
    estimated: int | None = None


class RowCounter(Protocol):
    """A database that can estimate how many rows a query has."""

    def count(self, query: Query, *, within: timedelta) -> RowCount:
        """Ask the planner, and count where that is cheap; the statement ends after `within`.

        Raises:
            WaybillError: the database cannot be reached, or refuses the query.
        """
        ...


class Source(RowCounter, Protocol):
    """A database that rows can be read from."""

    def open(self, query: Query, *, count: bool = True) -> AbstractContextManager[RowStream]:
        """Start one read-only snapshot and read `query` in it.

        With `count`, `RowStream.rows_expected` is counted by the database in the same
        snapshot. Leaving the context always ends the statement and the transaction.
        """
        ...


@runtime_checkable
class SnapshotSource(Protocol):
    """A source that can read several queries in one snapshot."""

    def open_together(
        self, queries: Sequence[Query]
    ) -> AbstractContextManager[Sequence[RowStream]]:
        """Start one read-only snapshot, and one stream in it for each query; all rows are counted.

        Schemas and counts may be asked of all of them first. Then iterate one after the other,
        each to its end: they share a connection.

        Raises:
            ExportRejected: this database has no snapshot that several statements can see.
        """
        ...


class Sink(Protocol):
    """Somewhere to write a file, front to back.

    A sink is the value of a context manager. The file becomes visible on the *clean*
    exit of that context manager and on no other path; any exception leaves nothing.
    """

    def write(self, data: bytes) -> None:
        """Append `data`. May block while earlier bytes are still on their way."""
        ...

    def expect(self, size_bytes: int, crc32: int) -> None:
        """Set the length and CRC-32 that the whole file must have.

        If the file differs, a clean exit raises instead of publishing it.
        """
        ...
