"""The databases that sources are checked on, each with the same tables in it."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from tests.support.clickhouse_tables import clickhouse_engine
from tests.support.servers.clickhouse import ClickhouseServer, clickhouse_server
from tests.support.servers.flight_sql import FlightSqlServer, flight_sql_server
from waybill.exporter.ports import Source
from waybill.infra.sources import open_source
from waybill.infra.sources.databases import parse_database_url, row_session
from waybill.infra.sources.duckdb.connection import SharedConnection
from waybill.infra.sources.duckdb.dialect import DRIVER_NAME
from waybill.infra.sources.rows.source import RowsSource

#: Each way to read a kind of database. PostgreSQL by rows stands for "any other database".
KINDS = (
    pytest.param("postgres-adbc", marks=pytest.mark.server),
    pytest.param("postgres-rows", marks=pytest.mark.server),
    pytest.param("mariadb-rows", marks=pytest.mark.server),
    "sqlite-rows",
    "duckdb-arrow",
    pytest.param("flightsql-adbc", marks=pytest.mark.server),
    pytest.param("clickhouse-arrow", marks=pytest.mark.server),
)

#: Those where a server computes the rows, and could be far ahead of the reader.
SERVER_KINDS = KINDS[:3]

#: Those that give no snapshot of a count and the rows, so that the rows come uncounted.
UNCOUNTED = {"flightsql-adbc", "clickhouse-arrow"}

#: What a database makes of a column that it has no type for, and of its value. ClickHouse's strings
#: are bytes, its moments are instants, and its times are not within a day.
OTHERWISE: dict[str, dict[str, tuple[pa.DataType, Any]]] = {
    "clickhouse-arrow": {
        "raw": (pa.string(), "\\x00ff"),
        "day": (pa.date32(), dt.date(1900, 1, 1)),
        "at": (pa.timestamp("us", "UTC"), dt.datetime(2024, 2, 29, 23, 59, 58, tzinfo=dt.UTC)),
        "clock": (pa.string(), "23:59:58.000000"),
    }
}

#: Values that a database cannot store, and what a test stores in their place: ClickHouse's dates
#: begin in 1900.
INSTEAD: dict[str, dict[str, Any]] = {"clickhouse-arrow": {"day": dt.date(1900, 1, 1)}}

#: Those that other programs write while an export reads; nobody may write the others.
SHARED_KINDS = KINDS[:4]
EXCLUSIVE_KINDS = KINDS[4:5]

#: Values that could break out of a query, or be read as something else.
HOSTILE = [
    "' OR 1=1--",
    "'; DROP TABLE orders; --",
    "back\\slash\\",
    "\\' OR 1=1 --",
    "100%",
    "%s %(name)s %%",
    ":name :1",
    "?",
    "{0} {name}",
    'double " quote',
    "客户 🙂 é",
    "line\nbreak\ttab\r",
    "$$ dollar $1",
]

NUMBERS_ROWS = 40_000
#: The first rows of `NUMBERS` have no note, more of them than a driver looks at.
NUMBERS_WITHOUT_NOTE = 5_000


class Mood(enum.Enum):
    CALM = 1
    STORMY = 2


METADATA = sa.MetaData()

ORDERS = sa.Table(
    "orders",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("big", sa.BigInteger),
    sa.Column("paid", sa.Boolean),
    sa.Column("ratio", sa.Double),
    sa.Column("price", sa.Numeric(12, 2)),
    sa.Column("name", sa.String(200)),
    sa.Column("note", sa.Text),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("day", sa.Date),
    sa.Column("at", sa.DateTime),
    sa.Column("instant", sa.DateTime(timezone=True)),
    sa.Column("clock", sa.Time),
    sa.Column("mood", sa.Enum(Mood)),
)

NUMBERS = sa.Table(
    "numbers",
    METADATA,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("amount", sa.Numeric(12, 2)),
    sa.Column("note", sa.String(40)),
)

DIGITS = sa.Table(
    "digits", METADATA, sa.Column("d", sa.Integer, primary_key=True, autoincrement=False)
)


@dataclass(frozen=True)
class SourceDatabase:
    """A database with the tables above, and the source that reads it."""

    kind: str
    source: Source
    #: For everything a test does besides exporting; keeps no connection open.
    engine: sa.Engine
    #: Whether no connection but the asking one is left on the database.
    is_released: Callable[[], bool]
    #: SQL that ends all other connections; empty where there is no server to do it.
    cut_others: str

    def expected(self, rows: int) -> int | None:
        """What the source says beforehand of a result of so many rows."""
        return None if self.kind in UNCOUNTED else rows

    def execute(self, *statements: sa.Executable) -> None:
        """Run and commit, over another connection than the source's."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)


_CUT_POSTGRES = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_CUT_MARIADB = """
    BEGIN NOT ATOMIC
        FOR other IN (SELECT id FROM information_schema.processlist
                      WHERE db = database() AND id <> connection_id())
        DO KILL other.id;
        END FOR;
    END
"""


@contextmanager
def source_database(
    kind: str, request: pytest.FixtureRequest, folder: Path
) -> Iterator[SourceDatabase]:
    """An own database of one of the `KINDS`, filled."""
    if kind == "sqlite-rows":
        yield _fill(kind, f"sqlite:///{folder}/source.db", _sqlite_is_released, "")
    elif kind == "duckdb-arrow":
        yield _duckdb(f"{folder}/source.duckdb")
    elif kind == "flightsql-adbc":
        with duckdb.connect() as shared, flight_sql_server(shared) as server:
            yield _flight_sql(shared, server)
    elif kind == "clickhouse-arrow":
        with clickhouse_server(folder) as clickhouse:
            yield _clickhouse(clickhouse)
    elif kind == "mariadb-rows":
        with request.getfixturevalue("mariadb_server").database() as url:
            yield _fill(kind, url, _mariadb_is_released, _CUT_MARIADB)
    else:
        with request.getfixturevalue("postgres_server").database() as url:
            yield _fill(kind, url, _postgres_is_released, _CUT_POSTGRES)


def _fill(
    kind: str, url: str, is_released: Callable[[sa.Engine], bool], cut_others: str
) -> SourceDatabase:
    source = open_source(url)
    if kind == "postgres-rows":
        source = RowsSource(row_session(parse_database_url(url)))
    # The digits are joined each with each on purpose, which SQLAlchemy would warn of.
    engine = sa.create_engine(url, poolclass=sa.NullPool, enable_from_linting=False)
    if kind == "sqlite-rows":
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout = 0"))
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    _make_tables(engine)
    return SourceDatabase(kind, source, engine, lambda: is_released(engine), cut_others)


def _duckdb(path: str) -> SourceDatabase:
    """A file that holds the lock of one process, so its engine and its source take turns."""
    engine = duckdb_engine(path)
    _make_tables(engine)
    source = open_source(f"duckdb:///{path}")
    return SourceDatabase(
        "duckdb-arrow",
        source,
        engine,
        lambda: _duckdb_is_released(path),
        "",
    )


def _flight_sql(shared: duckdb.DuckDBPyConnection, server: FlightSqlServer) -> SourceDatabase:
    """A server and an engine on one database in memory."""
    engine = sa.create_engine(
        f"{DRIVER_NAME}://",
        poolclass=sa.NullPool,
        enable_from_linting=False,
        creator=lambda: SharedConnection(shared.cursor(), duckdb.DuckDBPyConnection.close),
    )
    _make_tables(engine)
    source = open_source(f"flightsql://127.0.0.1:{server.port}?tls=off")
    return SourceDatabase("flightsql-adbc", source, engine, lambda: not server.running, "")


def _clickhouse(server: ClickhouseServer) -> SourceDatabase:
    engine = clickhouse_engine(server)
    server.profile = {"enable_time_time64_type": "1"}
    server.execute("SELECT 1")
    _make_tables(engine)
    source = open_source(f"clickhouse://127.0.0.1:{server.port}?tls=off")
    return SourceDatabase("clickhouse-arrow", source, engine, lambda: not server.running, "")


def duckdb_engine(path: str) -> sa.Engine:
    """An engine that writes to a DuckDB file."""
    return sa.create_engine(
        f"{DRIVER_NAME}://",
        poolclass=sa.NullPool,
        enable_from_linting=False,
        creator=lambda: SharedConnection(duckdb.connect(path), duckdb.DuckDBPyConnection.close),
    )


def _make_tables(engine: sa.Engine) -> None:
    METADATA.create_all(engine)
    digits = [DIGITS.alias() for _ in range(5)]
    n = sum((10**place * digit.c.d for place, digit in enumerate(digits)), start=sa.literal(0))
    text = sa.literal("note ", sa.String) + sa.cast(n, sa.String(20))
    with engine.begin() as connection:
        connection.execute(DIGITS.insert(), [{"d": d} for d in range(10)])
        connection.execute(
            NUMBERS.insert().from_select(
                ["n", "amount", "note"],
                sa.select(
                    n,
                    n / sa.literal(100.0, sa.Double),
                    sa.case((n < NUMBERS_WITHOUT_NOTE, None), else_=text),
                )
                .select_from(_cross(digits))
                .where(n < NUMBERS_ROWS),
            )
        )


def _cross(digits: list[sa.Alias]) -> sa.FromClause:
    first, *others = digits
    joined: sa.FromClause = first
    for other in others:
        joined = joined.join(other, sa.true())
    return joined


def _postgres_is_released(engine: sa.Engine) -> bool:
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        # A session that is kept for the next read is ours, and holds no snapshot and no lock.
        " AND NOT (state = 'idle' AND backend_xmin IS NULL AND query IN ('DISCARD ALL', '')"
        "     AND application_name = 'waybill export'"
        "     AND NOT EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid))"
    )
    with engine.connect() as connection:
        return connection.execute(others).scalar_one() == 0


def _mariadb_is_released(engine: sa.Engine) -> bool:
    others = sa.text(
        "SELECT count(*) FROM information_schema.processlist"
        " WHERE db = database() AND id <> connection_id()"
    )
    with engine.connect() as connection:
        return connection.execute(others).scalar_one() == 0


def _sqlite_is_released(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        try:
            # Leaving WAL mode needs the file for oneself.
            connection.exec_driver_sql("PRAGMA journal_mode = DELETE")
        except sa.exc.OperationalError:
            return False
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    return True


def _duckdb_is_released(path: str) -> bool:
    try:
        # Only a process that has it alone may open it for writing.
        duckdb.connect(path).close()
    except duckdb.Error:
        return False
    return True
