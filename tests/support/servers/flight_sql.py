"""A Flight SQL server over a DuckDB in memory: what a client that reads needs of the protocol.

Messages are those of ``FlightSql.proto``, read and written field by field: each has one or two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.flight as flight

_PREFIX = "type.googleapis.com/arrow.flight.protocol.sql."
_POLL_SECONDS = 0.02


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _message(fields: dict[int, bytes]) -> bytes:
    """A message of fields that have a length."""
    return b"".join(
        _varint(number << 3 | 2) + _varint(len(value)) + value for number, value in fields.items()
    )


def _fields(message: bytes) -> dict[int, bytes]:
    """The fields with a length of a message that has no others."""
    found: dict[int, bytes] = {}
    place = 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(message):
        key = number()
        length = number()
        found[key >> 3] = message[place : place + length]
        place += length
    return found


def _unpacked(message: bytes) -> tuple[str, dict[int, bytes]]:
    """The name and the fields of what an ``Any`` holds."""
    outer = _fields(message)
    return outer[1].decode().removeprefix(_PREFIX), _fields(outer.get(2, b""))


def _packed(name: str, fields: dict[int, bytes]) -> bytes:
    return _message({1: (_PREFIX + name).encode(), 2: _message(fields)})


class _Token(flight.ServerMiddlewareFactory):
    def __init__(self, token: str | None) -> None:
        self._token = token

    def start_call(self, info: Any, headers: dict[str, list[str]]) -> None:
        if self._token and headers.get("authorization") != [f"Bearer {self._token}"]:
            raise flight.FlightUnauthenticatedError("no")


class FlightSqlServer(flight.FlightServerBase):
    """Answers statements and prepared statements."""

    def __init__(self, database: duckdb.DuckDBPyConnection, token: str | None = None) -> None:
        super().__init__("grpc://127.0.0.1:0", middleware={"token": _Token(token)})
        self._database = database
        self._prepared: dict[bytes, str] = {}
        self._values: dict[bytes, tuple[Any, ...]] = {}
        #: How many results are being sent.
        self.running = 0
        #: Set to break off all results that are being sent.
        self.cut = threading.Event()
        #: Set to end all queries.
        self.stopping = threading.Event()

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """The columns of a query, and the ticket to get its rows with."""
        ticket = descriptor.command
        with self._connection() as connection:
            schema = self._relation(connection, ticket).limit(0).to_arrow_table().schema
        endpoint = flight.FlightEndpoint(flight.Ticket(ticket), [])
        return flight.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def do_get(
        self, context: flight.ServerCallContext, ticket: flight.Ticket
    ) -> flight.FlightDataStream:
        """The rows; the query ends when its client leaves, whether it has a row to send or not."""
        connection = self._database.cursor()
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_POLL_SECONDS):
                if context.is_cancelled() or self.stopping.is_set():
                    connection.interrupt()

        self.running += 1
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()

        def leave() -> None:
            # An interrupt of a connection that is closed ends the process.
            ended.set()
            watcher.join()
            connection.close()
            self.running -= 1

        try:
            with self._translated():
                reader = self._relation(connection, ticket.ticket).to_arrow_reader(4096)
        except BaseException:
            leave()
            raise
        return flight.GeneratorStream(reader.schema, self._rows(reader, leave))

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> list[bytes]:
        """Prepare a statement, or forget it."""
        _, fields = _unpacked(action.body.to_pybytes())
        if action.type == "CreatePreparedStatement":
            handle = b"p%d" % len(self._prepared)
            self._prepared[handle] = fields[1].decode()
            return [_packed("ActionCreatePreparedStatementResult", {1: handle})]
        return []

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """The values of a prepared statement."""
        _, fields = _unpacked(descriptor.command)
        [row] = reader.read_all().to_pylist()
        self._values[fields[1]] = tuple(row.values())

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._database.cursor()
        try:
            with self._translated():
                yield connection
        finally:
            connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise pa.ArrowInvalid(str(error)) from None

    def _relation(self, connection: duckdb.DuckDBPyConnection, command: bytes) -> Any:
        name, fields = _unpacked(command)
        if name == "CommandStatementQuery":
            sql, values = fields[1].decode(), ()
        elif name == "CommandPreparedStatementQuery":
            sql, values = self._prepared[fields[1]], self._values.get(fields[1], ())
        else:
            raise NotImplementedError(name)
        [statement] = connection.extract_statements(sql)
        if statement.type != duckdb.StatementType.SELECT:
            raise pa.ArrowInvalid("this account may only read")
        return connection.sql(sql, params=list(values) or None)

    def _rows(
        self,
        reader: pa.RecordBatchReader,
        leave: Callable[[], None],
    ) -> Iterator[pa.RecordBatch]:
        try:
            while (batch := self._next(reader)) is not None:
                if self.cut.is_set():
                    raise flight.FlightUnavailableError("the server goes down")
                yield batch
        finally:
            reader.close()
            leave()

    @staticmethod
    def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
        try:
            return next(reader, None)
        except OSError as error:
            raise pa.ArrowInvalid(str(error)) from None


@contextmanager
def flight_sql_server(
    database: duckdb.DuckDBPyConnection, token: str | None = None
) -> Iterator[FlightSqlServer]:
    """A server on a free port of this machine, until the context ends."""
    server = FlightSqlServer(database, token)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join(10)
