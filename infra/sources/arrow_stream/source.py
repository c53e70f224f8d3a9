"""Reading a database as a stream of Arrow batches: one snapshot, one query, bounded batches.

What a database is like is up to its `ArrowSession`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.ports import RowCount
from waybill.exporter.rows.seals import sealed
from waybill.infra.sources.arrow_stream.columns import bounded
from waybill.infra.sources.arrow_stream.session import ArrowPlan, ArrowSession
from waybill.infra.sources.counts import check_count
from waybill.infra.sources.driver_calls import DriverCalls
from waybill.infra.sources.errors import connecting, no_common_snapshot
from waybill.infra.sources.streams import begun, begun_together, count_within


class ArrowSource:
    """Reads from one database. Connects only in `open` and `count`."""

    def __init__(self, session: ArrowSession) -> None:
        self._session = session

    @contextmanager
    def open(self, query: Query, *, count: bool = True) -> Iterator[ArrowStream]:
        """One snapshot with one query in it; see `Source.open`.

        Raises:
            SourceAway: no connection.
            SourceRejected: the database refuses the query.
        """
        with begun(ArrowStream(self._session, query, count=count)) as stream:
            yield stream

    @contextmanager
    def open_together(self, queries: Sequence[Query]) -> Iterator[Sequence[ArrowStream]]:
        """One snapshot with several queries in it; see `SnapshotSource.open_together`."""
        if not self._session.has_common_snapshot:
            raise no_common_snapshot()
        first = ArrowStream(self._session, queries[0], count=True)
        others = [
            ArrowStream(self._session, query, count=True, beside=first) for query in queries[1:]
        ]
        with begun_together([first, *others]) as streams:
            yield streams

    def count(self, query: Query, *, within: timedelta) -> RowCount:
        """The rows, if they can be counted `within` that time; see `RowCounter.count`."""
        return count_within(ArrowStream(self._session, query, count=True), within)


class ArrowStream:
    """A `RowStream`. Made, begun and closed by `ArrowSource.open`.

    The pass that counts the rows and checks their values runs when `schema` or `rows_expected`
    is first asked for, so that `cancel` can interrupt it.
    """

    def __init__(
        self,
        session: ArrowSession,
        query: Query,
        *,
        count: bool,
        beside: ArrowStream | None = None,
    ) -> None:
        """With `beside`, it reads in the transaction of that stream, which is closed after it."""
        self._session = session
        self._beside = beside
        self._statement = session.render(query)
        self._count = (
            count and session.has_snapshot and not session.gives_other_rows(self._statement)
        )
        self._calls = DriverCalls(self._interrupt, session.errors, session.translate)
        self._driver: Any = None
        self._reader: Iterator[pa.RecordBatch] | None = None
        self._snapshot_at: datetime | None = None
        self._planned: ArrowPlan | None = None
        self._made_text: Counter[int] = Counter()

    def begin(self) -> None:
        """Connect, and fix the snapshot."""
        with connecting(), self._calls.call():
            if self._beside is None:
                self._driver = self._session.connect()
                self._snapshot_at = self._session.begin(self._driver)
            else:
                self._driver = self._beside._open_driver()
                self._snapshot_at = self._beside.snapshot_at

    @property
    def schema(self) -> pa.Schema:
        """Names and Arrow types of the columns."""
        return pa.schema([column.field for column in self._plan.columns])

    @property
    def snapshot_at(self) -> datetime:
        """When the snapshot was taken."""
        if self._snapshot_at is None:
            raise RuntimeError("the stream has not begun")
        return self._snapshot_at

    @property
    def rows_expected(self) -> int | None:
        """What the database counts in this snapshot.

        None when it was not asked to, has no snapshot, or when the query gives other rows each
        time it runs.
        """
        return self._plan.rows

    @property
    def read_as_text(self) -> Mapping[int, int]:
        """Bytes in columns of text that are none; columns that are text as a whole are marked."""
        return self._made_text

    @property
    def _plan(self) -> ArrowPlan:
        # No `cached_property`: before Python 3.12 it has one lock for all instances, and one
        # long count would hold up every other export of the process.
        if self._planned is None:
            with self._calls.call():
                self._planned = self._session.plan(
                    self._open_driver(), self._statement, count=self._count
                )
        return self._planned

    def count_rows(self) -> int:
        """The rows, without a look at their types."""
        with self._calls.call():
            return self._session.count(self._open_driver(), self._statement)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Sealed batches in the query's order, bounded in rows and bytes.

        Raises:
            ReadCancelled: `cancel` was called.
            SourceUnavailable: the connection was lost.
            SourceRejected: the query fails for one of its rows.
        """
        return sealed(self._read())

    def _read(self) -> Iterator[pa.RecordBatch]:
        plan, schema = self._plan, self.schema
        with self._calls.call():
            self._reader = reader = self._session.read(self._open_driver(), plan)
        rows = 0
        while True:
            with self._calls.call():
                batch = next(reader, None)
            if batch is None:
                break
            rows += batch.num_rows
            arrays = []
            for position, (column, array) in enumerate(
                zip(plan.columns, batch.columns, strict=True)
            ):
                converted, made_text = column.convert_counted(array)
                arrays.append(converted)
                if made_text:
                    self._made_text[position] += made_text
            yield from bounded(pa.RecordBatch.from_arrays(arrays, schema=schema))
            # Given back before the next is read: a single row may be as large as all else.
            del batch, arrays, converted
        # Some drivers have no second statement while a first one is open.
        self._close_reader()
        check_count(plan.rows, rows, self.count_rows)

    def cancel(self) -> None:
        """End the running statement, from any thread; reading raises `ReadCancelled` then."""
        self._calls.cancel()

    def close(self) -> None:
        """End the statement, the transaction and the connection, in that order."""
        self._calls.retire()
        driver, self._driver = self._driver, None
        with suppress(*self._session.errors):
            self._close_reader()
        if driver is not None and self._beside is None:
            with suppress(*self._session.errors):
                self._session.close(driver)

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            close = getattr(reader, "close", None)
            if close is not None:
                close()

    def _interrupt(self) -> None:
        if self._driver is not None:
            with suppress(*self._session.errors):
                self._session.interrupt(self._driver)

    def _open_driver(self) -> Any:
        if self._driver is None:
            raise RuntimeError("the stream is closed")
        return self._driver
