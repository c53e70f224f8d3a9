"""SQLite read in large steps, and with its types checked on the way: the same rows, all of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.sqlite_reads import read_both_ways
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.ports import AssumesTypes, TypesChanged
from waybill.exporter.run import ExportProgress, run_export
from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import table_query, text_query
from waybill.infra.sources.sqlite import reading
from waybill.storage.memory import MemoryStore


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "rows.db"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def fill(path: Path, declared: str, values: list[Any], count: int = 1) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, x {declared})")
        for _ in range(count):
            database.executemany("INSERT INTO t (x) VALUES (?)", [(value,) for value in values])


def batches(path: Path, query: sa.Select[Any]) -> list[pa.RecordBatch]:
    with open_source(url(path)).open(query) as stream:
        return list(stream)


@pytest.mark.parametrize("large_at", [0, 1, 4_000])
def test_rows_around_a_large_value_come_once_and_in_order(path, large_at):
    values = [f"text {n}" for n in range(5_000)]
    values[large_at] = "x" * 3_000_000
    values[large_at + 1] = "y" * 20_000
    fill(path, "TEXT", values)

    made = pa.Table.from_batches(batches(path, table_query(url(path), "t")))

    assert made["x"].to_pylist() == values
    assert made["id"].to_pylist() == list(range(1, 5_001))


def test_from_a_large_value_on_few_rows_are_fetched_at_once(path):
    fill(path, "TEXT", ["small"] * 3_000 + ["x" * 2_000_000] * 40)

    made = batches(path, table_query(url(path), "t"))

    assert sum(batch.num_rows for batch in made) == 3_040
    # One step of at most 32 rows was under way.
    assert max(batch.num_rows for batch in made if batch.nbytes > 2_000_000) <= 3_000 + 32
    assert all(batch.num_rows == 1 for batch in made[2:])


def test_a_large_value_out_of_a_function_is_not_lost(path):
    fill(path, "TEXT", ["a"])

    made = batches(path, text_query("SELECT printf('%.*c', 50000, x) AS x FROM t", url(path)))

    assert [len(value.as_py()) for value in made[0]["x"]] == [50_000]


def test_a_large_value_of_a_generated_column_is_not_lost(path):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE t (n INTEGER, x TEXT AS (printf('%.*c', n, 'x')))")
        database.execute("INSERT INTO t VALUES (50000)")

    made = batches(path, text_query("SELECT x FROM t", url(path)))

    assert [len(value.as_py()) for value in made[0]["x"]] == [50_000]


def test_after_reading_large_values_are_allowed_again(path):
    fill(path, "TEXT", ["a" * 5_000])
    driver = sqlite3.connect(path)
    usual = driver.getlimit(sqlite3.SQLITE_LIMIT_LENGTH)
    rows = reading.SqliteRows(driver, "SELECT x FROM t", (), limited=True)

    assert driver.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) < usual
    assert len(rows.fetchmany(10)) == 1
    assert rows.fetchmany(10) == []
    assert driver.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) == usual
    driver.close()


#: Right and wrong, in every form in which SQLite, its programs or Arrow write moments and days.
_MOMENTS = [
    *("2024-02-29 10:00", "2024-02-29T10:00:00", "2024-02-29 10:00:00.1", "2024-02-29 23:59:59.5"),
    *(f"2024-02-29 10:00:00.{'123456'[:digits]}" for digits in range(1, 7)),
    *("2024-02-29", "2024-02-29 10", "2024-02-29T10", "2024-02-29 1000", "2024-02-29 100000"),
    *("2024-02-29 10:00:00.1234567", "2024-02-29 10:00:00.", "2024-02-29 10:00:00,5"),
    *("2024-02-29 10:00Z", "2024-02-29 10:00+01:00", "2024-02-29 10:00:00.1Z", "20240229T100000"),
    *("2024-02-30 10:00:00", "2023-02-29 10:00:00", "2024-04-31 10:00", "2024-13-01 10:00"),
    *("2024-02-29 24:00:00", "2024-02-29 10:60:00", "2024-02-29 10:00:60", "2024-2-29 10:00:00"),
    *("0000-01-01 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "now", ""),
    *(" 2024-02-29 10:00", "2024-02-29 10:00 ", "2024-02-29  10:00", "2024-02-29t10:00:00"),
    *("2024-02-29 10:00:00 +00:00", "-2024-02-29 10:00", "+2024-02-29 10:00", "10:00:00.123"),
    *("2460370.5", "2024-02-2９ 10:00:00", "2024/02/29 10:00:00", "12024-02-29 10:00"),
]
_DAYS = [
    *("2024-02-29", "2024-02-30", "0000-01-01", "0001-01-01", "9999-12-31", "2024-2-9", "20240229"),
    *("2024-02-29 ", " 2024-02-29", "2024-02-29 00:00:00", "now", "", "2024/02/29", "+024-02-29"),
]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        *(("TIMESTAMP", value) for value in (*_MOMENTS, 1, 2.5, b"2024-02-29 10:00:00")),
        *(("DATE", value) for value in (*_DAYS, 1, 2.5, b"2024-02-29")),
        *(("BOOLEAN", value) for value in (0, 1, 2, -1, 0.5, "true", b"\1")),
        *(("INTEGER", value) for value in (2**63 - 1, -(2**63), 1e300, 2.5, "two", b"2")),
        *(("REAL", value) for value in (2**53 + 1, float("inf"), 1e-300, "two", b"2")),
        *(("NUMERIC", value) for value in (2**53, 2**53 + 1, -(2**53) - 1, 0.1, "two")),
        *(("NUMERIC(9, 2)", value) for value in (0.29, 1.005, 1e9, 9_999_999.99, -0.1, 1 / 3)),
        *(("NUMERIC(20, 2)", value) for value in (2**53, 90071992547409.91, 9e15, "x")),
        *(("TEXT", value) for value in ("a", b"a", b"\xff", "a\0b", "\\x00")),
        *(("BLOB", value) for value in ("a", b"\xff", 1)),
        *(("JSON", value) for value in ('{"a":1}', b"\xff", 1)),
        *(("TIME", value) for value in ("10:00", "24:00", 1)),
    ],
)
def test_what_is_checked_while_reading_is_what_is_checked_before(path, declared, value):
    fill(path, declared, [value, None])

    made = read_both_ways(path, table_query(url(path), "t"))

    assert made.num_rows == 2


def test_text_that_is_not_utf8_changes_the_types_and_not_the_values(path):
    fill(path, "TEXT", ["good"] * 3_000)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO t (x) VALUES (CAST(x'c328' AS TEXT))")

    with open_source(url(path)).open(table_query(url(path), "t")) as stream:
        assert isinstance(stream, AssumesTypes)
        stream.assume_declared_types()
        with pytest.raises(TypesChanged):
            list(stream)
        made = pa.Table.from_batches(list(stream))
        assert dict(stream.read_as_text) == {1: 1}

    assert made["x"].to_pylist() == ["good"] * 3_000 + ["\\xc328"]


def test_an_export_begins_again_where_the_last_row_is_not_as_declared(path):
    fill(path, "DATETIME", ["2024-02-29 10:00:00"] * 30_000)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO t (x) VALUES ('soon')")
    store, progress = MemoryStore(), ExportProgress()
    opened = []

    def open_sink(stream):
        opened.append(stream.schema.field("x").type)
        return store.open_upload("t.csv", content_type="text/csv")

    def export(can_begin_again: bool):
        return run_export(
            open_source(url(path)),
            table_query(url(path), "t"),
            csv_encoder(),
            Layout(),
            open_sink,
            progress=progress,
            can_begin_again=can_begin_again,
        )

    again, at_once = export(can_begin_again=True), export(can_begin_again=False)

    assert opened == [pa.timestamp("us"), pa.string(), pa.string()]
    assert again.sha256 == at_once.sha256
    assert again.warnings == at_once.warnings
    assert again.rows_written == again.rows_source == progress.rows_done == 30_001
    assert progress.bytes_rendered == again.size_bytes
