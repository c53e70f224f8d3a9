"""SQLite as a source: any column may hold anything, and none of it is lost or changed."""

from __future__ import annotations

import datetime as dt
import math
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.sqlite_reads import read_both_ways
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as
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


def write(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)


def read(path: Path, query: Any, *, count: bool = True) -> pa.Table:
    return read_both_ways(path, query, count=count, repeatable=" random" not in str(query))


@pytest.mark.parametrize(
    ("declared", "stored", "kind", "read_as"),
    [
        ("BOOLEAN", [1, 0, None], pa.bool_(), [True, False, None]),
        ("BOOLEAN", [1, 2, "t", None], _TEXT, ["true", "2", "t", None]),
        ("BOOL", ["true", "false"], _TEXT, ["true", "false"]),
        ("INTEGER", [-(2**63), 2**63 - 1], pa.int64(), [-(2**63), 2**63 - 1]),
        ("INTEGER", [1, 2.5], _TEXT, ["1", "2.5"]),
        ("INTEGER", [1, "two", b"\x03\xff"], _TEXT, ["1", "two", "\\x03ff"]),
        ("REAL", [1, 2.5, None], pa.float64(), [1.0, 2.5, None]),
        ("REAL", [1.5, "x"], _TEXT, ["1.5", "x"]),
        ("", [2**53 + 1, 0.5], _TEXT, [str(2**53 + 1), "0.5"]),
        ("", [1e300, float("inf")], pa.float64(), [1e300, float("inf")]),
        ("NUMERIC(9, 2)", [1, "4.50"], pa.decimal128(9, 2), [Decimal(1), Decimal("4.5")]),
        ("NUMERIC(9, 2)", [4.5, 3, 12.345, "n/a"], _TEXT, ["4.50", "3.00", "12.345", "n/a"]),
        ("NUMERIC(4, 2)", [100.5], _TEXT, ["100.50"]),
        ("NUMERIC(20, 2)", [90071992547410.5], _TEXT, ["90071992547410.50"]),
        ("NUMERIC", [1.25, 3], pa.float64(), [1.25, 3.0]),
        ("NUMERIC", [1, 3], pa.float64(), [1.0, 3.0]),
        ("NUMERIC", [2**53 + 1, 0.5], _TEXT, [str(2**53 + 1), "0.5"]),
        ("DECIMAL(99, 2)", [1.25], pa.float64(), [1.25]),
        ("NUMBER(10,2)", [4.5, 3], pa.decimal128(10, 2), [Decimal("4.5"), Decimal(3)]),
        ("INT UNSIGNED", [7], pa.int64(), [7]),
        ("UNSIGNED BIG INT", [7], pa.int64(), [7]),
        ("TINYINT(1)", [1, 0], pa.int64(), [1, 0]),
        ("DOUBLE PRECISION", [1], pa.float64(), [1.0]),
        ("FLOAT", [float("inf"), float("-inf"), -0.0], pa.float64(), [math.inf, -math.inf, 0.0]),
        ("VARCHAR2(20)", ["007"], _TEXT, ["007"]),
        ("NVARCHAR(20)", ["007"], _TEXT, ["007"]),
        ("CLOB", ["007"], _TEXT, ["007"]),
        ("UUID", ["123e4567-e89b-12d3-a456-426614174000"], _TEXT,
         ["123e4567-e89b-12d3-a456-426614174000"]),
        ("GUID", ["n/a"], _TEXT, ["n/a"]),
        ("STRING", ["Ann", "007"], _TEXT, ["Ann", "7"]),
        ("ENUM", ["a"], _TEXT, ["a"]),
        ("INTERVAL", ["1 day"], _TEXT, ["1 day"]),
        ("POINT", ["POINT(1 2)"], _TEXT, ["POINT(1 2)"]),
        ("NO_SUCH_TYPE", ["x", 1.5], _TEXT, ["x", "1.5"]),
        ("NO_SUCH_TYPE", [1, 2], pa.int64(), [1, 2]),
        ("TIMESTAMP WITH TIME ZONE", ["2024-01-02 10:00+02:00"], _TEXT, ["2024-01-02 10:00+02:00"]),
        ("BLOB", [], pa.binary(), []),
        ("", [], _TEXT, []),
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
        ("DATETIME", [2460370.5, 2460371], pa.float64(), [2460370.5, 2460371.0]),
        ("DATETIME", [1722000000000, "2024-02-29 10:00:00"], _TEXT,
         ["1722000000000", "2024-02-29 10:00:00"]),
        ("DATETIME", ["2024-02-29 10:00", "2024-02-29T10:00:00.5"], TIMESTAMP,
         ["2024-02-29T10:00:00", "2024-02-29T10:00:00.500000"]),
        ("DATETIME", ["2024-02-29 25:00"], _TEXT, ["2024-02-29 25:00"]),
        ("DATETIME", ["2024-02-29 23:59:59.999999"], TIMESTAMP, ["2024-02-29T23:59:59.999999"]),
        ("DATETIME", ["2024-02-29T10:00:00", None], TIMESTAMP, ["2024-02-29T10:00:00", None]),
        ("DATETIME", ["2024-02-29 10:00:00.123"], TIMESTAMP, ["2024-02-29T10:00:00.123000"]),
        ("DATETIME", ["2024-02-29 24:00:00"], _TEXT, ["2024-02-29 24:00:00"]),
        ("DATETIME", ["2024-02-29 10:00:00Z"], _TEXT, ["2024-02-29 10:00:00Z"]),
        ("DATETIME", ["2024-02-29 10:00:00.1234567"], _TEXT, ["2024-02-29 10:00:00.1234567"]),
        ("DATETIME", ["2024-02-29 10:00:00", "soon"], _TEXT, ["2024-02-29 10:00:00", "soon"]),
        ("TIME", ["23:59:59.999999", "10:00:00"], TIME, [dt.time.max, dt.time(10)]),
        ("TIME", ["08:30", "08:30:00.5"], TIME, [dt.time(8, 30), dt.time(8, 30, 0, 500000)]),
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


@pytest.mark.parametrize(
    ("declared", "odd", "marks"),
    [
        ("INTEGER", "n/a", declared_as(DeclaredKind.INTEGER)),
        ("REAL", "n/a", declared_as(DeclaredKind.FLOAT)),
        ("NUMERIC(9, 2)", 1 / 3, declared_as(DeclaredKind.DECIMAL, precision=9, scale=2)),
        ("NUMERIC", "n/a", declared_as(DeclaredKind.DECIMAL)),
        ("BOOLEAN", 2, declared_as(DeclaredKind.BOOLEAN)),
        ("DATE", "0000-00-00", declared_as(DeclaredKind.DATE)),
        ("TIME", "25:00:00", declared_as(DeclaredKind.TIME)),
        ("TIMESTAMP", "2024-01-02T10:00Z", declared_as(DeclaredKind.TIMESTAMP)),
        ("JSON", "[1]", declared_as(DeclaredKind.JSON)),
        ("STRING", "n/a", None),
        ("NO_SUCH_TYPE", "n/a", None),
    ],
)
def test_a_column_with_an_odd_value_keeps_the_mark_of_its_declaration(path, declared, odd, marks):
    write(path, f"CREATE TABLE t (id INTEGER PRIMARY KEY, x {declared})")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO t (x) VALUES (?)", [odd])

    by_table = read(path, table_query(f"sqlite:///{path}", "t"))
    by_query = read(path, text_query("SELECT * FROM t"))

    field = by_table.schema.field("x")
    assert (field.type, field.metadata or None) == (_TEXT, marks)
    assert by_query.equals(by_table, check_metadata=True)


def test_a_query_has_the_types_of_its_table_by_every_way(path):
    write(
        path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d DATE, m TIMESTAMP, c TIME, b BOOLEAN,"
        " n DECIMAL(9, 2), j JSON, u UUID, s AS (id + 1), e DATETIME, a ANY);"
        "INSERT INTO t VALUES (1, '2024-02-29', '2024-02-29 10:00:00', '10:00:00', 1, 4.5,"
        " '{\"a\": 1}', 'x', 1722000000000, '007');"
        "CREATE VIEW v AS SELECT * FROM t",
    )
    table = read(path, table_query(f"sqlite:///{path}", "t"))
    wanted = sa.table("t", *map(sa.column, table.column_names))

    for query in (
        table_query(f"sqlite:///{path}", "v"),
        text_query("SELECT * FROM t"),
        text_query("WITH q AS (SELECT * FROM v) SELECT * FROM q WHERE id IN (1, 2) -- all"),
        text_query("SELECT * FROM main.t UNION ALL SELECT * FROM t WHERE id > 5"),
        sa.text("SELECT * FROM t WHERE id = :id LIMIT :most").bindparams(id=1, most=5),
        sa.select(wanted).where(wanted.c.id.in_([1, 2])).limit(5),
    ):
        assert read(path, query).equals(table, check_metadata=True)
    assert table.schema.field("m").type == TIMESTAMP
    assert table.schema.field("n").type == pa.decimal128(9, 2)
    assert table.schema.field("s").type == pa.int64()


def test_a_strict_column_of_any_type_keeps_digits_that_are_text(path):
    write(
        path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, code ANY) STRICT; INSERT INTO t VALUES (1, '007')",
    )

    codes = read(path, table_query(f"sqlite:///{path}", "t"))

    assert codes.schema.field("code") == pa.field("code", _TEXT)
    assert codes["code"].to_pylist() == ["007"]


@pytest.mark.parametrize("chance", ["random() % 2 = 0", "hex(randomblob(1)) < '80'", "v.r < 0"])
def test_a_query_with_other_rows_each_time_is_run_once(path, chance):
    write(path, "CREATE VIEW v AS SELECT random() AS r")
    numbers = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)"
    rest = "SELECT i, 'x' || i AS x FROM n, v WHERE"
    query = text_query(f"{numbers} {rest} {chance} ORDER BY i DESC")

    with open_source(f"sqlite:///{path}").open(query) as stream:
        table = pa.Table.from_batches(list(stream), schema=stream.schema)

        assert table.num_rows == stream.rows_expected
    rows = table["i"].to_pylist()
    assert rows == sorted(rows, reverse=True)
    assert table["x"].to_pylist() == [f"x{row}" for row in rows]


def test_rows_with_a_collation_of_another_program_are_read_and_its_order_is_refused(path):
    with closing(sqlite3.connect(path)) as database, database:
        database.create_collation("NOCASE2", lambda one, two: (one > two) - (one < two))
        database.execute(
            "CREATE TABLE t (id TEXT COLLATE NOCASE2 PRIMARY KEY, d DATE COLLATE NOCASE2)"
        )

        database.execute("INSERT INTO t VALUES ('b', '2024-02-29'), ('a', '2024-03-01')")

    by_table = read(path, table_query(f"sqlite:///{path}", "t"))
    by_query = read(path, text_query("SELECT * FROM t"))

    assert by_table.to_pylist() == [
        {"id": "a", "d": dt.date(2024, 3, 1)},
        {"id": "b", "d": dt.date(2024, 2, 29)},
    ]
    assert by_query.schema.field("d").type == pa.date32()
    for query in ("SELECT * FROM t ORDER BY d", "SELECT * FROM t WHERE id = 'a'"):
        with pytest.raises(SourceRejected, match="collation of another program, NOCASE2"):
            read(path, text_query(query))


def test_a_single_odd_value_after_many_others_is_neither_lost_nor_fatal(column):
    values = column("INTEGER", [*range(20_000), "surprise"])

    assert values.type == _TEXT
    assert values.to_pylist()[-2:] == ["19999", "surprise"]


def test_text_that_is_not_utf8_is_shown_as_its_bytes(column, path):
    column("TEXT", ["good"])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO t (x) VALUES (CAST(x'ff41' AS TEXT))")

    assert read(path, text_query("SELECT x FROM t"))["x"].to_pylist() == ["good", "\\xff41"]


@pytest.mark.parametrize(
    ("declared", "values", "made_text"),
    [
        ("TEXT", ["a", "\\x00", None], 0),
        ("TEXT", ["a", b"\xff", b"b", 3], 2),
        ("STRING", ["7", "a"], 0),
        ("ANY", [1, "a", 2.5, None], 2),
        ("", ["a", b"\xff", b"b"], 2),
        ("BLOB", [b"\x00", "a"], 1),
        ("BLOB", ["a", "b"], 0),
        ("INTEGER", [1, "n/a", b"\xff"], 0),
    ],
)
def test_values_made_text_among_others_are_counted(column, path, declared, values, made_text):
    column(declared, values)

    with open_source(f"sqlite:///{path}").open(text_query("SELECT x FROM t")) as stream:
        assert sum(batch.num_rows for batch in stream) == len(values)
        assert sum(stream.read_as_text.values()) == made_text


def test_text_that_is_not_utf8_is_counted(column, path):
    column("TEXT", ["good", b"\xff"])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO t (x) VALUES (CAST(x'ff41' AS TEXT))")

    with open_source(f"sqlite:///{path}").open(text_query("SELECT x FROM t")) as stream:
        list(stream)
        assert stream.read_as_text == {0: 2}


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


@pytest.mark.parametrize(
    ("kind", "stored", "read_as"),
    [
        (sa.Integer, 7, pa.int64()),
        (sa.DateTime, dt.datetime.fromisoformat("2024-02-29"), TIMESTAMP),
    ],
)
def test_a_table_may_have_as_many_columns_as_sqlite_allows(path, kind, stored, read_as):
    names = [f"c{n}" for n in range(2000)]
    wide = sa.Table("wide", sa.MetaData(), *(sa.Column(name, kind) for name in names))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        wide.create(connection)
        connection.execute(wide.insert().values(dict.fromkeys(names, stored)))
    engine.dispose()

    table = read(path, table_query(f"sqlite:///{path}", "wide"))

    assert table.column_names == names
    assert set(table.schema.types) == {read_as}


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
