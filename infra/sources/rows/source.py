"""Any database SQLAlchemy can reach as a source, read row by row.

SQLite is read this way too. Its ADBC driver infers types from the first 1,024 rows and fails
on the first later row that differs (``Type mismatch``), which kills every export whose column
begins with nulls and goes on with text; `sqlite` looks at all values instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.ports import RowCount, TypesChanged
from waybill.exporter.rows.seals import sealed
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.counts import check_count, names_chance
from waybill.infra.sources.driver_calls import DriverCalls
from waybill.infra.sources.errors import by_driver, connecting, no_common_snapshot
from waybill.infra.sources.rows.columns import NotAsDeclared
from waybill.infra.sources.rows.session import ReadPlan, RowSession, driver_connection
from waybill.infra.sources.streams import begun, begun_together, count_within


class RowsSource:
    """Reads from one database row by row. Connects only in `open`."""

    def __init__(self, session: RowSession) -> None:
        self._session = session

    @contextmanager
    def open(self, query: Query, *, count: bool = True) -> Iterator[RowsStream]:
        """One snapshot with one query in it; see `Source.open`.

        Raises:
            SourceAway: no connection.
            SourceUnavailable: a lock, a restart.
            SourceRejected: the database refuses the query.
        """
        with begun(RowsStream(self._session, query, count=count)) as stream:
            yield stream

    @contextmanager
    def open_together(self, queries: Sequence[Query]) -> Iterator[Sequence[RowsStream]]:
        """One snapshot with several queries in it; see `SnapshotSource.open_together`."""
        if not self._session.has_snapshot:
            raise no_common_snapshot()
        first = RowsStream(self._session, queries[0], count=True)
        others = [
            RowsStream(self._session, query, count=True, beside=first) for query in queries[1:]
        ]
        with begun_together([first, *others]) as streams:
            yield streams

    def count(self, query: Query, *, within: timedelta) -> RowCount:
        """The rows, if they can be counted `within` that time; see `RowCounter.count`."""
        return count_within(RowsStream(self._session, query, count=True), within)


class RowsStream:
    """A `RowStream`. Made, begun and closed by `RowsSource.open`.

    As with PostgreSQL, the pass that counts the rows and checks their types runs when
    `schema` or `rows_expected` is first asked for, so that `cancel` can interrupt it.
    """

    def __init__(
        self,
        session: RowSession,
        query: Query,
        *,
        count: bool,
        beside: RowsStream | None = None,
    ) -> None:
        """With `beside`, it reads in the transaction of that stream, which is closed after it."""
        self._session = session
        self._beside = beside
        self._query = query
        self._count = count
        self._calls = DriverCalls(self._interrupt, session.errors, by_driver)
        self._connection: sa.Connection | None = None
        #: The driver's own, which stays what it is when SQLAlchemy notices a lost connection.
        self._driver: Any = None
        #: What the session's `run` returned.
        self._result: Any = None
        self._snapshot_at: datetime | None = None
        self._planned: ReadPlan | None = None
        self._assuming = False
        self._names_chance = False
        self._made_text: Counter[int] = Counter()

    def begin(self) -> None:
        """Connect, and fix the snapshot."""
        with connecting(), self._calls.call():
            if self._beside is None:
                self._connection = self._session.connect()
                self._driver = driver_connection(self._connection)
                self._snapshot_at = self._session.begin(self._connection)
            else:
                self._connection = self._beside._open_connection()
                self._driver = driver_connection(self._connection)
                self._snapshot_at = self._beside.snapshot_at
        dialect = self._connection.dialect
        self._names_chance = names_chance(compile_query(self._query, dialect)[0], dialect.name)

    def assume_declared_types(self) -> None:
        """See `AssumesTypes`. Without effect where the types are certain anyway."""
        self._assuming = True

    @property
    def schema(self) -> pa.Schema:
        """Names and plain Arrow types, by the tables in `waybill.infra.sources.arrow_types`."""
        return pa.schema([column.field for column in self._plan.columns])

    @property
    def snapshot_at(self) -> datetime:
        """When the transaction began."""
        if self._snapshot_at is None:
            raise RuntimeError("the stream has not begun")
        return self._snapshot_at

    @property
    def rows_expected(self) -> int | None:
        """What the database counts in this snapshot.

        None when it was not asked to, or when the query gives other rows each time it runs and
        none are kept.
        """
        plan = self._plan
        return None if self._names_chance and plan.instead is None else plan.rows

    @property
    def read_as_text(self) -> Mapping[int, int]:
        """How many values were made text because of what else is in their column."""
        return self._made_text

    def count_rows(self) -> int:
        """The rows, without a look at their types: less work than `rows_expected`."""
        with self._calls.call():
            return self._session.count(self._open_connection(), self._query)

    @property
    def _plan(self) -> ReadPlan:
        # No `cached_property`: before Python 3.12 it has one lock for all instances, and one
        # long count would hold up every other export of the process.
        if self._planned is None:
            with self._calls.call():
                self._planned = self._session.plan(
                    self._open_connection(),
                    self._query,
                    count=self._count,
                    assuming=self._assuming,
                )
        return self._planned

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Sealed batches in the query's order, bounded in rows and bytes.

        Raises:
            ReadCancelled: `cancel` was called.
            SourceUnavailable: the connection was lost.
            SourceRejected: the query fails for one of its rows, or a value is not of the
                type its column declares.
            TypesChanged: the latter, after `assume_declared_types`.
        """
        plan = self._plan
        connection = self._open_connection()
        with self._calls.call():
            query = self._query if plan.instead is None else plan.instead
            self._result = self._session.run(connection, query, plan)
        rows = 0
        try:
            for batch in sealed(
                self._session.batches(self._result, plan.columns, self._made_text, self._calls.call)
            ):
                rows += batch.num_rows
                yield batch
        except NotAsDeclared:
            self._forget_plan()
            raise TypesChanged from None
        with self._calls.call():
            self._session.after_reading(connection)
        if plan.instead is None:
            check_count(self.rows_expected, rows, self.count_rows)

    def _forget_plan(self) -> None:
        with self._calls.call():
            self._session.abandon(self._driver, self._result)
        self._result = self._planned = None
        self._assuming = False
        self._made_text.clear()

    def cancel(self) -> None:
        """End the running statement, from any thread; reading raises `ReadCancelled` then."""
        self._calls.cancel()

    def close(self) -> None:
        """End the statement, the transaction and the connection, in that order."""
        self._calls.retire()
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(*self._session.errors):
            if self._result is not None:
                self._session.abandon(self._driver, self._result)
        if self._beside is None:
            connection.invalidate()
            connection.close()

    def _interrupt(self) -> None:
        if self._driver is not None:
            with suppress(*self._session.errors):
                self._session.interrupt(self._driver)

    def _open_connection(self) -> sa.Connection:
        if self._connection is None:
            raise RuntimeError("the stream is closed")
        return self._connection
