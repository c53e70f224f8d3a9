"""SQLite as a source: any column may hold anything, and none of it is lost or changed."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from waybill.infra.sources import open_source
from waybill.infra.sources.arrow_types import INSTANT, TIME, TIMESTAMP
from waybill.infra.sources.errors import ReadCancelled, SourceRejected, SourceUnavailable
from waybill.infra.sources.operator_queries import table_query, text_query

_TEXT = pa.string()


@pytest.fixture
def path(tmp_path) -> Path:
    # A name that a URI has to escape.
    return tmp_path / "rows 100% #1.db"


@pytest.fixture
def column(path) -> Callable[[str, Sequence[Any]], pa.ChunkedArray]:
    """Write `values` into a column declared as `declared`, and read them through a source."""

    def write_and_read(declared: str, values: Sequence[Any]) -> pa.ChunkedArray:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, x {declared})")
            database.executemany("INSERT INTO t (x) VALUES (?)", [(value,) for value in values])
        return read(path, table_query(f"sqlite:///{path}", "t"))["x"]

    return write_and_read


def read(path: Path, query: Any, *, count: bool = True) -> pa.Table:
    with open_source(f"sqlite:///{path}").open(query, count=count) as stream:
        return pa.Table.from_batches(list(stream), schema=stream.schema)


@pytest.mark.parametrize(
    ("declared", "stored", "kind", "read_as"),
    [
        ("BOOLEAN", [1, 0, None], pa.bool_(), [True, False, None]),
        ("BOOLEAN", [1, 2], pa.int64(), [1, 2]),
        ("INTEGER", [-(2**63), 2**63 - 1], pa.int64(), [-(2**63), 2**63 - 1]),
        ("INTEGER", [1, 2.5], pa.float64(), [1.0, 2.5]),
        ("INTEGER", [1, "two", b"\x03\xff"], _TEXT, ["1", "two", "\\x03ff"]),
        ("REAL", [1, 2.5, None], pa.float64(), [1.0, 2.5, None]),
        ("REAL", [1.5, "x"], _TEXT, ["1.5", "x"]),
        ("", [2**53 + 1, 0.5], _TEXT, [str(2**53 + 1), "0.5"]),
        ("", [1e300, float("inf")], pa.float64(), [1e300, float("inf")]),
        ("NUMERIC(9, 2)", [1, "4.50"], pa.decimal128(9, 2), [Decimal(1), Decimal("4.5")]),
        ("NUMERIC(9, 2)", [12.345], pa.float64(), [12.345]),
        ("NUMERIC(4, 2)", [100.5], pa.float64(), [100.5]),
        ("NUMERIC(20, 2)", [90071992547410.5], pa.float64(), [90071992547410.5]),
        ("NUMERIC", [1.25, 3], pa.float64(), [1.25, 3.0]),
        ("TEXT", ["", "a\0b", "客户 🙂"], _TEXT, ["", "a\0b", "客户 🙂"]),
        ("TEXT", ["a", b"b", 3], _TEXT, ["a", "b", "3"]),
        ("VARCHAR(2)", ["far too long"], _TEXT, ["far too long"]),
        ("BLOB", [b"\x00\xff", None], pa.binary(), [b"\x00\xff", None]),
        ("BLOB", [b"\x00\xff", "text"], _TEXT, ["\\x00ff", "text"]),
        ("DATE", ["2024-02-29", None], pa.date32(), [dt.date(2024, 2, 29), None]),
        ("DATE", ["2024-02-30"], _TEXT, ["2024-02-30"]),
        ("DATE", ["0000-01-01"], _TEXT, ["0000-01-01"]),
        ("DATE", ["0000-00-00"], _TEXT, ["0000-00-00"]),
        ("DATE", ["now"], _TEXT, ["now"]),
        ("DATE", [1709164800], pa.int64(), [1709164800]),
        ("DATETIME", ["2024-02-29 23:59:59.999999"], TIMESTAMP, ["2024-02-29T23:59:59.999999"]),
        ("DATETIME", ["2024-02-29T10:00:00", None], TIMESTAMP, ["2024-02-29T10:00:00", None]),
        ("DATETIME", ["2024-02-29 10:00:00.123"], TIMESTAMP, ["2024-02-29T10:00:00.123000"]),
        ("DATETIME", ["2024-02-29 24:00:00"], _TEXT, ["2024-02-29 24:00:00"]),
        ("DATETIME", ["2024-02-29 10:00:00Z"], _TEXT, ["2024-02-29 10:00:00Z"]),
        ("DATETIME", ["2024-02-29 10:00:00.1234567"], _TEXT, ["2024-02-29 10:00:00.1234567"]),
        ("DATETIME", ["2024-02-29 10:00:00", "soon"], _TEXT, ["2024-02-29 10:00:00", "soon"]),
        ("TIME", ["23:59:59.999999", "10:00:00"], TIME, [dt.time.max, dt.time(10)]),
        ("TIME", ["24:00:00"], _TEXT, ["24:00:00"]),
        ("JSON", ['{"a":  1}'], _TEXT, ['{"a":  1}']),
        ("NO_SUCH_TYPE", ["x"], _TEXT, ["x"]),
        ("INTEGER", [None, None], pa.int64(), [None, None]),
    ],
)  # fmt: skip
def test_a_column_gets_the_type_that_all_its_values_have(column, declared, stored, kind, read_as):
    values = column(declared, stored)

    assert values.type == kind
    if kind == TIMESTAMP:
        assert [value and value.isoformat() for value in values.to_pylist()] == read_as
    else:
        assert values.to_pylist() == read_as


def test_a_single_odd_value_after_many_others_is_neither_lost_nor_fatal(column):
    values = column("INTEGER", [*range(20_000), "surprise"])

    assert values.type == _TEXT
    assert values.to_pylist()[-2:] == ["19999", "surprise"]


def test_text_that_is_not_utf8_is_shown_as_its_bytes(column, path):
    column("TEXT", ["good"])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO t (x) VALUES (CAST(x'ff41' AS TEXT))")

    assert read(path, text_query("SELECT x FROM t"))["x"].to_pylist() == ["good", "\\xff41"]


def test_an_aware_column_of_sqlalchemy_is_read_as_utc(path):
    class UtcDateTime(sa.TypeDecorator[dt.datetime]):
        impl = sa.DateTime(timezone=True)
        cache_ok = True

    events = sa.Table("events", sa.MetaData(), sa.Column("at", UtcDateTime()))
    engine = sa.create_engine(f"sqlite:///{path}")
    moment = dt.datetime(2024, 2, 29, 12, 30, 0, 5, tzinfo=dt.UTC)
    with engine.begin() as connection:
        events.create(connection)
        connection.execute(events.insert().values(at=moment))
    engine.dispose()

    at = read(path, sa.select(events))["at"]

    assert at.type == INSTANT
    assert at.to_pylist() == [moment]


def test_types_are_exact_without_a_count_too(column, path):
    column("INTEGER", [1, "two"])

    assert read(path, text_query("SELECT x FROM t"), count=False)["x"].to_pylist() == ["1", "two"]


def test_a_query_with_columns_of_one_name_is_read(column, path):
    column("TEXT", ["a"])

    table = read(path, text_query("SELECT x, id AS x FROM t"))

    assert [column.to_pylist() for column in table.columns] == [["a"], [1]]


def test_a_table_may_have_as_many_columns_as_sqlite_allows(path):
    names = [f"c{n}" for n in range(2000)]
    wide = sa.Table("wide", sa.MetaData(), *(sa.Column(name, sa.Integer) for name in names))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        wide.create(connection)
        connection.execute(wide.insert().values(dict.fromkeys(names, 7)))
    engine.dispose()

    table = read(path, table_query(f"sqlite:///{path}", "wide"))

    assert table.column_names == names
    assert set(table.schema.types) == {pa.int64()}


def test_a_missing_file_is_not_created(path):
    with pytest.raises(SourceUnavailable):
        read(path, text_query("SELECT 1"))

    assert not path.exists()


def test_the_file_is_opened_read_only(column, path):
    column("INTEGER", [1])
    source = open_source(f"sqlite:///{path}")

    with source.open(text_query("SELECT 1")) as stream, pytest.raises(sa.exc.OperationalError):
        stream._open_connection().exec_driver_sql("DELETE FROM t")


def test_the_url_of_the_asynchronous_driver_is_understood(column, path):
    column("INTEGER", [1])

    with open_source(f"sqlite+aiosqlite:///{path}").open(text_query("SELECT x FROM t")) as stream:
        assert stream.rows_expected == 1


def test_a_writer_that_holds_the_file_makes_it_unavailable_and_not_wrong(column, path):
    column("INTEGER", [1])
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        source = open_source(f"sqlite:///{path}?timeout=0.1")
        with (
            pytest.raises(SourceUnavailable, match="SQLITE_BUSY"),
            source.open(text_query("SELECT 1")),
        ):
            pass


def test_select_that_hides_several_columns_in_text_is_rejected_in_words(column, path):
    column("INTEGER", [1])
    query = sa.select(sa.literal_column("t.*"), sa.literal(1).label("one")).select_from(
        sa.table("t")
    )

    with pytest.raises(SourceRejected, match="Label each column"):
        read(path, query)


def test_cancelling_a_sort_does_not_wait_for_it(path):
    sqlite3.connect(path).close()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    with open_source(f"sqlite:///{path}").open(text_query(endless)) as stream:
        stream.cancel()
        with pytest.raises(ReadCancelled):
            assert stream.rows_expected
