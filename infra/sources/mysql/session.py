"""The session that reads a MySQL or MariaDB database: one snapshot, and settings of ours.

Servers, accounts and URLs have settings that change how a value arrives: character set, time
zone, padding, a limit of rows. Those are the session's own, whatever they say. Those that decide
what a query means, such as ANSI_QUOTES, stay as the user's own client has them.
"""

from __future__ import annotations

import configparser
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from pymysql.cursors import SSCursor
from pymysql.err import OperationalError

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.errors import SourceUnavailable
from waybill.infra.sources.mysql.columns import MysqlColumn, column
from waybill.infra.sources.mysql.connection import WireConnection, WireField, fields_of
from waybill.infra.sources.mysql.tls import UNTRUSTED, refused_certificate, with_tls
from waybill.infra.sources.mysql.url_options import CHARSET, connect_arguments
from waybill.infra.sources.mysql.wire_rows import WireRows
from waybill.infra.sources.rows.columns import RowColumn, record_batch
from waybill.infra.sources.rows.session import (
    ReadPlan,
    RowSession,
    described,
    driver_connection,
)

_VALUES = (
    "SET SESSION time_zone = '+00:00'",
    # Without it `CHAR(5)` arrives as long as it is stored.
    "SET SESSION sql_mode = replace(@@SESSION.sql_mode, 'PAD_CHAR_TO_FULL_LENGTH', '')",
    # A limit of the server's or the account's, at which a result ends without a word.
    "SET SESSION sql_select_limit = 18446744073709551615",
    # With it `WHERE id IS NULL` finds the row that was inserted last.
    "SET SESSION sql_auto_is_null = 0",
)

_SNAPSHOT = (
    # How long the server waits for a slow upload before it gives its client up; 60 by default.
    "SET SESSION net_write_timeout = 3600",
    # A migration that holds a table delays an export; it must not hang it.
    "SET SESSION lock_wait_timeout = 10",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)

#: What PyMySQL waits for a connection, unless the URL says otherwise.
_LOGIN_SECONDS = 10

#: A literal of bits; the server describes it as bytes, unless it is asked before it runs.
_BIT_LITERAL = re.compile(r"\bb'[01]+'|\b0b[01]+\b", re.IGNORECASE)


class MysqlSession(RowSession):
    """Reads one MySQL or MariaDB database.

    Raises:
        InvalidRequest: the URL has an option that is not known, or a value it cannot have.
    """

    has_snapshot = True

    def __init__(self, url: sa.URL) -> None:
        self._arguments = connect_arguments(url)
        # Any other driver that a URL may name would bring values of its own.
        ours = sa.URL.create("mysql+pymysql", database=url.database)
        super().__init__(ours, isolation_level="AUTOCOMMIT", creator=self._connect)

    def _connect(self) -> WireConnection:
        answer_seconds = self._arguments.get("read_timeout")
        # The driver's own limit is for the connection alone: it would wait for the greeting of a
        # server that stands still until that goes on.
        login_seconds = self._arguments.get("connect_timeout", _LOGIN_SECONDS)
        try:
            driver = WireConnection(
                **{
                    **with_tls(self._arguments),
                    "read_timeout": min(login_seconds, answer_seconds or login_seconds),
                }
            )
        except OperationalError as error:
            if refused_certificate(error):
                raise SourceUnavailable(UNTRUSTED) from None
            raise
        except RuntimeError:
            # The driver's way to say that it needs another package for this password.
            raise InvalidRequest(
                'This MySQL account needs TLS, or: pip install "pymysql[rsa]".'
            ) from None
        except (OSError, ValueError, LookupError, configparser.Error):
            # Not an error of the connection, which the driver raises as its own.
            raise InvalidRequest(
                "The MySQL URL names a file that cannot be read, or is not what it should be."
            ) from None
        try:
            collation = self._arguments.get("collation")
            names = f"SET NAMES {CHARSET}" + (f" COLLATE {collation}" if collation else "")
            with driver.cursor() as cursor:
                for statement in (names, *_VALUES):
                    cursor.execute(statement)
            driver.wait_for_answers(answer_seconds)
        except BaseException:
            driver.close()
            raise
        return driver

    def begin(self, connection: sa.Connection) -> datetime:
        """Start the snapshot, and return its time."""
        for statement in _SNAPSHOT:
            connection.exec_driver_sql(statement)
        now: datetime = connection.exec_driver_sql("SELECT utc_timestamp(6)").scalar_one()
        return now.replace(tzinfo=UTC)

    def plan(
        self, connection: sa.Connection, query: Query, *, count: bool, assuming: bool = False
    ) -> ReadPlan:
        """How each column is read and, with `count`, how many rows there are.

        With `count` one pass over the rows also finds values that a column's type cannot hold;
        without, a column of decimals too wide for their type is text, and an odd value an error.
        """
        rows, names = described(connection, query)
        nothing = sa.select(sa.text("*")).select_from(rows).where(sa.false())
        with connection.execute(nothing) as result:
            fields = fields_of(result.cursor)
        fields = _with_bit_literals(connection, query, fields)
        columns = [
            column(name, field, selected.type, connection.dialect)
            for name, field, selected in zip(names, fields, rows.c, strict=True)
        ]
        if not count:
            return ReadPlan([_unseen(found) for found in columns], None)
        checks = [
            sa.func.max(found.odd(sa.type_coerce(value, sa.types.NULLTYPE)))
            for found, value in zip(columns, rows.c, strict=True)
            if found.odd is not None
        ]
        total, *answers = connection.execute(
            sa.select(sa.func.count(), *checks).select_from(rows)
        ).one()
        odd = iter(answers)
        return ReadPlan(
            [
                found.with_odd_values() if found.odd is not None and next(odd) else found
                for found in columns
            ],
            total,
        )

    def run(self, connection: sa.Connection, query: Query, plan: ReadPlan) -> SSCursor:
        """Run the query past SQLAlchemy, which would read the first rows."""
        statement, values = compile_query(query, connection.dialect)
        cursor = driver_connection(connection).cursor(SSCursor)
        cursor.execute(statement, values)
        return cursor

    def batches(
        self,
        result: SSCursor,
        columns: Sequence[RowColumn],
        made_text: Counter[int],
        call: Callable[[], AbstractContextManager[None]],
    ) -> Iterator[pa.RecordBatch]:
        """The rows of `result`, out of the bytes that the server sends."""
        rows = WireRows(result._result)
        schema = pa.schema([column.field for column in columns])
        while True:
            with call():
                values = rows.fetch()
            if not values:
                return
            yield record_batch(values, columns, schema, made_text)

    def interrupt(self, driver: Any) -> None:
        """End the running statement, over a connection of its own."""
        with self.connect() as other:
            other.exec_driver_sql("KILL QUERY %s", (driver.thread_id(),))

    def abandon(self, driver: Any, result: SSCursor) -> None:
        """End the statement first, since one with no row to send would not notice that we left."""
        # Closing the cursor would read all that is left, from wherever `WireRows` has stopped.
        result._result.unbuffered_active = False
        if driver.open:
            self.interrupt(driver)
        result.close()


def _with_bit_literals(
    connection: sa.Connection, query: Query, fields: list[WireField]
) -> list[WireField]:
    """`fields`, and for bit literals what they are where they stand."""
    statement, values = compile_query(query, connection.dialect)
    if not _BIT_LITERAL.search(statement):
        return fields
    driver = driver_connection(connection)
    with driver.cursor() as cursor:
        own = driver.describe(cursor.mogrify(statement, values))
    return [
        literal if literal.is_bit_literal else field
        for literal, field in zip(own, fields, strict=True)
    ]


def _unseen(found: MysqlColumn) -> MysqlColumn:
    """Decimals of more digits than Arrow has, of which it is not known how many are in use."""
    return found.with_odd_values() if pa.types.is_decimal(found.field.type) else found
