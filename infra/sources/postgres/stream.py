"""Reading one PostgreSQL query as a stream of Arrow batches, in one snapshot.

The first rows arrive at once and memory does not grow with the result, because ADBC reads
``COPY … TO STDOUT`` of a statement without parameters. The transaction is ``REPEATABLE READ
READ ONLY``, so the count, the types and the rows agree, no table of the query can change its
columns meanwhile, and a query that tries to write is refused by the server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import adbc_driver_manager as adbc
import pyarrow as pa
from adbc_driver_manager._reader import AdbcRecordBatchReader
from adbc_driver_postgresql import ConnectionOptions, StatementOptions, dbapi
from psycopg import sql

from waybill.exporter.rows.seals import sealed
from waybill.exporter.shards.plan import ShardPlan, Snapshot
from waybill.infra.sources.batches import MAX_BYTES, slices
from waybill.infra.sources.counts import check_count
from waybill.infra.sources.driver_calls import DriverCalls
from waybill.infra.sources.errors import SnapshotLost, SourceError, by_sqlstate, connecting
from waybill.infra.sources.postgres.columns import (
    PostgresColumn,
    arrays_query,
    bytes_query,
    describe,
    refuse_bytes,
    resolve_types,
    select_query,
    type_check_query,
    unknown_types,
)
from waybill.infra.sources.postgres.kept_sessions import Session
from waybill.infra.sources.postgres.parts import (
    SHARE_SNAPSHOT,
    SNAPSHOT_MARK,
    PartOfQuery,
    plan_parts,
    shards_of,
)
from waybill.infra.sources.postgres.volatile import calls, gives_other_rows, volatile_query

#: Set for the transaction only, so that a connection pooler gets its session back clean.
_SETTINGS = {
    # Casts to text inside a query must not depend on who runs it.
    "timezone": "UTC",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "xmlbinary": "base64",
    "quote_all_identifiers": "off",
    # Both change which rows there are, or their order, from one run to the next.
    "gin_fuzzy_search_limit": "0",
    "synchronize_seqscans": "off",
    # A migration that holds a table delays an export; it must not hang it.
    "lock_timeout": "10s",
    # The session is idle only between statements, for milliseconds, however slow the upload:
    # a stopped process must not hold back vacuum for ever, and a short limit of the server's
    # own must not end an export.
    "idle_in_transaction_session_timeout": "15min",
}

#: The whole export is one statement that waits for the upload, so a limit on statements is a
#: limit on file size. That of a server, a database or a role is lifted, and a runaway query is
#: ended by `cancel`, at the task's deadline; one in the URL is meant for exports, and stays.
_STATEMENT_TIMEOUT = """
    pg_catalog.set_config('statement_timeout', (
        SELECT CASE WHEN source = 'client' THEN setting ELSE '0' END
        FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'
    ), true)
"""

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

#: ``COPY`` takes queries only.
_WITHOUT_COPY = {StatementOptions.USE_COPY.value: False}

_STATUS = ConnectionOptions.TRANSACTION_STATUS.value
_ACTIVE = "active"


class PostgresStream:
    """A `RowStream`. Made, begun and closed by `PostgresSource`.

    The pass over the rows that counts them and checks their types runs when `schema` or
    `rows_expected` is first asked for, so that `cancel` can already interrupt it.
    """

    def __init__(self, session: Session | str, statement: sql.SQL, *, count: bool) -> None:
        """`session` is one that was kept, or the connection string for a new one."""
        self._session = session if isinstance(session, Session) else None
        self._conninfo = session if isinstance(session, str) else ""
        #: Whether the read came to its end, so that the session can be used again.
        self._is_finished = False
        self._statement = statement
        self._count = count
        self._row_cursor: dbapi.Cursor | None = None
        self._reader: AdbcRecordBatchReader | None = None
        self._calls = DriverCalls(
            self._interrupt,
            (adbc.Error, OSError, pa.ArrowException),
            lambda error: by_sqlstate(getattr(error, "sqlstate", None)),
        )
        self._snapshot_at: datetime | None = None
        #: The database takes any bytes for text.
        self._any_bytes = False
        #: What the planner expects, where it was asked.
        self.rows_planned: int | None = None
        self._described: list[PostgresColumn] = []
        self._type_check_result: tuple[int, list[Any]] | None = None
        #: What is read, where that is not all of the statement.
        self._part: PartOfQuery | None = None
        #: The stream in whose transaction this one reads, if it has none of its own.
        self._beside: PostgresStream | None = None

    def read_part(self, part: PartOfQuery) -> None:
        """Read a range of the rows, in the snapshot of another session. Call it before `begin`."""
        self._part = part
        self._type_check_result = part.rows, list(part.types)
        self.key: int = part.snapshot.state["key"]

    def read_beside(self, other: PostgresStream) -> None:
        """Read in the transaction of `other`, which is closed after this. Call it before `begin`.

        The rows of one are to be read to their end before those of the other.
        """
        self._beside = other

    def begin(self) -> bool:
        """Connect, fix the snapshot, and lock the columns of the query's tables.

        False where a kept session cannot tell the columns: they may be of types that were made
        after it was connected.
        """
        session = self._begin_transaction() if self._beside is None else self._join(self._beside)
        with self._calls.call(), self._cursor() as cursor:
            announced = cursor.adbc_execute_schema(self._statement.as_string(None))
        unknown = unknown_types(announced)
        if unknown and session.is_used:
            return False
        arrays = self._query(arrays_query(unknown))["name"].to_pylist() if unknown else []
        self._described = describe(announced, frozenset(arrays))
        # With chance in it, what one pass over the rows finds is not true of the next.
        if self._part is None:
            self._count = self._count and not self._gives_other_rows()
        return True

    def _begin_transaction(self) -> Session:
        with connecting(), self._calls.call():
            if self._session is None:
                self._session = Session(dbapi.connect(self._conninfo, autocommit=True))
            session = self._session
            with session.connection.cursor() as cursor:
                cursor.execute(_BEGIN)
        if self._part is not None:
            self._import_snapshot(self._part)
        opened = self._query(_opening(session.statement_timeout))
        session.statement_timeout = opened["statement_timeout"][0].as_py()
        self._snapshot_at = opened["snapshot_at"][0].as_py()
        self._any_bytes = opened["server_encoding"][0].as_py() == "SQL_ASCII"
        return session

    def _join(self, other: PostgresStream) -> Session:
        session = self._session = other._session
        if session is None:
            raise RuntimeError("the stream beside this one is closed")
        self._snapshot_at, self._any_bytes = other._snapshot_at, other._any_bytes
        return session

    def _import_snapshot(self, part: PartOfQuery) -> None:
        """To come first: behind another statement the transaction has a snapshot of its own."""
        for statement in part.imports:
            if self._imports(statement, part.snapshot.state["mark"]):
                return
            with self._calls.call(), self._cursor() as cursor:
                cursor.execute("ROLLBACK")
                cursor.execute(_BEGIN)
        raise SnapshotLost

    def _imports(self, statement: sql.Composable, mark: str) -> bool:
        with self._calls.call(), self._cursor() as cursor:
            try:
                cursor.execute(statement.as_string(None))
            except adbc.Error:
                return False
        return bool(self._query(SNAPSHOT_MARK)["mark"][0].as_py() == mark)

    def _gives_other_rows(self) -> bool:
        explain = sql.SQL("EXPLAIN (VERBOSE, FORMAT JSON) {}").format(self._statement)
        with self._calls.call(), self._cursor(adbc_stmt_kwargs=_WITHOUT_COPY) as cursor:
            cursor.execute(explain.as_string(None))
            [[explained]] = cursor.fetchall()
        plan = json.loads(explained)[0]["Plan"]
        self.rows_planned = int(plan["Plan Rows"])
        names = calls(plan)
        volatile = self._query(volatile_query(names))["name"].to_pylist() if names else []
        return gives_other_rows(plan, frozenset(volatile))

    @property
    def schema(self) -> pa.Schema:
        """Names and plain Arrow types, by the tables in `waybill.infra.sources.arrow_types`."""
        return pa.schema([column.field for column in self._columns])

    @property
    def snapshot_at(self) -> datetime:
        """When the first statement of the transaction began, by the server's clock."""
        if self._snapshot_at is None:
            raise RuntimeError("the stream has not begun")
        return self._snapshot_at

    @property
    def rows_expected(self) -> int | None:
        """What the server counts in this snapshot.

        None when it was not asked to, or when the query gives other rows each time it runs.
        """
        return self._type_check[0] if self._count else None

    @property
    def read_as_text(self) -> Mapping[int, int]:
        """No value: columns that are text where they are not declared so are marked."""
        return {}

    @property
    def _type_check(self) -> tuple[int, list[Any]]:
        # No `cached_property`: before Python 3.12 it has one lock for all instances, and one
        # long count would hold up every other export of the process.
        if self._type_check_result is None:
            if self._any_bytes:
                found = self._query(bytes_query(self._statement, self._described))
                refuse_bytes(self._described, [column[0].as_py() for column in found.columns])
            row = self._query(type_check_query(self._statement, self._described))
            rows, *answers = (column[0].as_py() for column in row.columns)
            self._type_check_result = rows, answers
        return self._type_check_result

    @property
    def _columns(self) -> list[PostgresColumn]:
        if self._count:
            return resolve_types(self._described, self._type_check[1])
        return [column.uncounted() for column in self._described]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Sealed batches in the query's order, of at most `MAX_ROWS` rows.

        Raises:
            ReadCancelled: `cancel` was called.
            SourceUnavailable: the connection was lost.
            SourceRejected: the query fails for one of its rows.
        """
        return sealed(self._read())

    def _read(self) -> Iterator[pa.RecordBatch]:
        columns, schema = self._columns, self.schema
        statement = select_query(self._rows_statement, columns).as_string(None)
        with self._calls.call():
            self._row_cursor = self._cursor(
                adbc_stmt_kwargs={StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(MAX_BYTES)}
            )
            self._row_cursor.execute(statement)
            # The reader of `fetch_record_batch` raises errors without their SQLSTATE.
            handle = self._row_cursor.fetch_arrow()
            self._reader = AdbcRecordBatchReader._import_from_c(handle.address)
            batches = iter(self._reader)
        rows = 0
        while True:
            with self._calls.call():
                batch = next(batches, None)
            if batch is None:
                break
            rows += batch.num_rows
            arrays = [
                column.convert(array) for column, array in zip(columns, batch.columns, strict=True)
            ]
            yield from slices(pa.RecordBatch.from_arrays(arrays, schema=schema))
            # Given back before the next is read: a single row may be as large as all else.
            del batch, arrays
        if self._part is None:
            check_count(self.rows_expected, rows, self._count_again)
        self._is_finished = True

    def _count_again(self) -> int:
        check = type_check_query(self._rows_statement, self._described)
        counted: int = self._query(check)[0][0].as_py()
        return counted

    @property
    def _rows_statement(self) -> sql.Composable:
        if self._part is None:
            return self._statement
        return self._part.select(self._statement, self._described)

    def share(self, key: str, rows_of_part: int, most: int) -> ShardPlan | None:
        """Split the rows by the column `key`, and let other sessions read this snapshot.

        None where that cannot be done: see `plan_parts`.
        """
        if not self._count:
            return None
        rows, types = self._type_check
        rows_of_part *= max(1, -(-rows // (rows_of_part * most)))
        bounds = plan_parts(self._query, self._statement, self._described, key, rows_of_part, rows)
        if bounds is None:
            return None
        state = {"types": types, "key": bounds.key, "type": bounds.type, "last": bounds.last}
        snapshot = self.export(Snapshot("", self.snapshot_at, rows, state))
        return shards_of(snapshot, bounds, rows_of_part)

    def export(self, snapshot: Snapshot) -> Snapshot:
        """Let other sessions read the snapshot of this one; `snapshot` by the name it has here."""
        [exported] = self._query(SHARE_SNAPSHOT).to_pylist()
        state = {**snapshot.state, "mark": exported["mark"]}
        return replace(snapshot, name=exported["name"], state=state, renamed=())

    def answers(self) -> bool:
        """Whether the session is there, with its transaction."""
        try:
            self._query(sql.SQL("SELECT 1"))
        except SourceError:
            return False
        return True

    def cancel(self) -> None:
        """End the running statement, from any thread; reading raises `ReadCancelled` then."""
        self._calls.cancel()

    def close(self) -> Session | None:
        """End the statement and the transaction; returns the session if it can be used again.

        Otherwise the connection is ended as well.
        """
        self._calls.retire()
        session, self._session = self._session, None
        if session is None:
            return None
        connection = session.connection
        with suppress(adbc.Error, OSError):
            if connection.adbc_connection.get_option(_STATUS) == _ACTIVE:
                # A statement that has no row to send yet would not notice a closed connection.
                connection.adbc_cancel()
            if self._reader is not None:
                self._reader.close()
            if self._row_cursor is not None:
                self._row_cursor.close()
        if self._beside is not None:
            self._beside._is_finished &= self._is_finished and not self._calls.is_cancelled
            return None
        # A request to cancel may still be on its way to the server.
        if self._is_finished and not self._calls.is_cancelled and session.clean():
            return session
        session.close()
        return None

    def _interrupt(self) -> None:
        session = self._session
        if session is not None:
            with suppress(adbc.Error):
                session.connection.adbc_cancel()

    def _cursor(self, **options: Any) -> dbapi.Cursor:
        if self._session is None:
            raise RuntimeError("the stream is closed")
        return self._session.connection.cursor(**options)

    def _query(self, statement: sql.Composable) -> pa.Table:
        with self._calls.call(), self._cursor() as cursor:
            cursor.execute(statement.as_string(None))
            return cursor.fetch_arrow_table()


def _opening(statement_timeout: str | None) -> sql.Composable:
    """The first statement of the transaction: it takes the snapshot.

    `statement_timeout` is the answer in an earlier transaction of the session, if there was one:
    finding it out costs as much as all the rest.
    """
    settings = [
        sql.SQL("pg_catalog.set_config({}, {}, true)").format(name, value)
        for name, value in _SETTINGS.items()
    ]
    limit: sql.Composable = sql.SQL(_STATEMENT_TIMEOUT)
    if statement_timeout is not None:
        limit = sql.SQL("pg_catalog.set_config('statement_timeout', {}, true)").format(
            statement_timeout
        )
    return sql.SQL(
        "SELECT pg_catalog.statement_timestamp() AS snapshot_at,"
        " pg_catalog.current_setting('server_encoding') AS server_encoding,"
        " {} AS statement_timeout, {}"
    ).format(limit, sql.SQL(", ").join(settings))
