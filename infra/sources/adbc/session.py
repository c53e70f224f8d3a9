"""The session that reads a database through its ADBC driver: one statement, run once.

Drivers differ in how they connect; the rest is ADBC. There is no snapshot of several statements
that all of them have, so rows are not counted before they are read.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import adbc_driver_manager as adbc
import adbc_driver_manager.dbapi as dbapi
import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_manager._reader import AdbcRecordBatchReader
from sqlalchemy.engine.default import DefaultDialect

from waybill.infra.sources.adbc.errors import by_status
from waybill.infra.sources.arrow_stream.run_once import RunOnceSession
from waybill.infra.sources.arrow_stream.session import Statement
from waybill.infra.sources.errors import SourceError


class StandardDialect(DefaultDialect):
    """Standard SQL with ``?`` for values."""

    default_paramstyle = "qmark"
    supports_native_boolean = True
    supports_native_decimal = True


@dataclass(slots=True)
class AdbcConnection:
    """A connection, and the cursor of the statement that it runs."""

    connection: dbapi.Connection
    cursor: dbapi.Cursor | None = None


class AdbcSession(RunOnceSession):
    """Reads one database; `connect` is how its driver connects, with autocommit."""

    # Arrow's reader raises an error of the driver's as one of its own, or of the system's.
    errors = (adbc.Error, pa.ArrowException, OSError)
    dialect: sa.Dialect = StandardDialect()

    def __init__(self, connect: Callable[[], dbapi.Connection]) -> None:
        self._connect = connect

    def connect(self) -> AdbcConnection:
        """A connection of its own."""
        return AdbcConnection(self._connect())

    def run(self, driver: AdbcConnection, statement: Statement) -> pa.RecordBatchReader:
        """Run a query; rows come as the server sends them."""
        if driver.cursor is not None:
            driver.cursor.close()
        driver.cursor = cursor = driver.connection.cursor()
        cursor.execute(statement.text, statement.values or None)
        # The reader of `fetch_record_batch` raises errors without their status.
        handle = cursor.fetch_arrow()
        return AdbcRecordBatchReader._import_from_c(handle.address)

    def interrupt(self, driver: AdbcConnection) -> None:
        """End the running statement."""
        if driver.cursor is not None:
            driver.cursor.adbc_cancel()

    def close(self, driver: AdbcConnection) -> None:
        """End the statement, and the connection."""
        with suppress(*self.errors):
            if driver.cursor is not None:
                # A statement that has no row to send yet would not notice that we left.
                driver.cursor.adbc_cancel()
                driver.cursor.close()
        driver.connection.close()

    def translate(self, error: Exception) -> SourceError:
        """By the status that ADBC gives it."""
        return by_status(error)


def last_values(url: sa.URL) -> dict[str, str]:
    """The options of a URL; of one that is given twice, the last."""
    return {
        name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()
    }
