"""JSON lines as json, DuckDB and Polars read them."""

from __future__ import annotations

import gzip
import io
import json
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.benchmark_rows import make_batches
from tests.support.encoded import bytes_before_failure, encode_table
from tests.support.examples import examples
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.errors import LimitExceeded
from waybill.exporter.formats.jsonl import encode_jsonl_gzip

SHOP = pa.Table.from_batches(make_batches(70_000))


def rows_of(table: pa.Table, layout: Layout | None = None) -> list[dict[str, Any]]:
    data, tally = encode_table(encode_jsonl_gzip, table, layout)
    lines = gzip.decompress(data).decode().split("\n")
    assert lines.pop() == ""
    assert len(lines) == tally.rows == table.num_rows
    return [json.loads(line, parse_float=Decimal) for line in lines]


values = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1),
    data=st.data(),
)
@examples(60)
def test_json_reads_back_any_text_under_any_names(names: list[str], data: st.DataObject):
    rows = data.draw(st.integers(1, 5))
    columns = [data.draw(st.lists(values, min_size=rows, max_size=rows)) for _ in names]
    table = pa.table([pa.array(column, pa.string()) for column in columns], names=names)

    found = rows_of(table)

    assert [list(row.values()) for row in found] == [
        list(row) for row in zip(*columns, strict=True)
    ]


def test_json_keeps_every_digit_of_a_number():
    table = pa.table(
        {
            "int": pa.array([2**53 + 1, -(2**63), None]),
            "unsigned": pa.array([2**64 - 1, 0, None], pa.uint64()),
            "float": pa.array([0.1, 1e300, None]),
            "decimal": pa.array([Decimal("0.10"), Decimal("-1.00"), None]),
        }
    )
    assert [list(row.values()) for row in rows_of(table)] == [
        [2**53 + 1, 2**64 - 1, Decimal("0.1"), Decimal("0.10")],
        [-(2**63), 0, Decimal("1E+300"), Decimal("-1.00")],
        [None, None, None, None],
    ]


def test_numbers_asked_for_as_text_are_strings():
    table = pa.table({"id": [2**53 + 1, None], "x": [float("nan"), 1.5]})
    layout = Layout(columns={"id": Column(label="No.", as_text=True), "x": Column(as_text=True)})
    assert rows_of(table, layout) == [
        {"id": "9007199254740993", "x": "NaN"},
        {"id": None, "x": "1.5"},
    ]


def test_what_is_not_a_number_is_a_string_and_counted():
    table = pa.table({"x": [float("nan"), float("-inf"), 1.5, None]})
    data, tally = encode_table(encode_jsonl_gzip, table)
    assert gzip.decompress(data) == b'{"x":"NaN"}\n{"x":"-Infinity"}\n{"x":1.5}\n{"x":null}\n'
    assert tally.warnings == {("x", "not_finite_as_text"): 2}


def test_json_columns_stay_json_and_on_one_line():
    pretty = '{\n  "a": [1,\r\n 2]\n}'
    table = pa.table(
        {"doc": pa.ExtensionArray.from_storage(pa.json_(), pa.array([pretty, "null", None]))}
    )
    assert rows_of(table) == [{"doc": {"a": [1, 2]}}, {"doc": None}, {"doc": None}]


def test_keys_are_unique_and_the_columns_own():
    table = pa.table([[1], [2], [3]], names=["a", "a", ""])
    data, tally = encode_table(encode_jsonl_gzip, table, Layout(columns={"a": Column(label="L")}))
    assert gzip.decompress(data) == b'{"a":1,"a (2)":2,"column 3":3}\n'
    assert tally.warnings == {
        ("a (2)", "column_renamed"): 1,
        ("column 3", "column_renamed"): 1,
    }


@pytest.mark.slow
def test_duckdb_and_polars_read_the_same_rows(tmp_path):
    data, _ = encode_table(encode_jsonl_gzip, SHOP)
    path = tmp_path / "shop.jsonl.gz"
    path.write_bytes(data)

    counted = duckdb.sql(f"SELECT count(*), sum(id), count(note) FROM read_json('{path}')")  # noqa: S608

    notes = SHOP.num_rows - SHOP["note"].null_count
    assert counted.fetchall() == [(70_000, 70_000 * 69_999 // 2, notes)]
    frame = pl.read_ndjson(io.BytesIO(gzip.decompress(data)))
    for name in ("id", "amount", "rate", "paid", "city", "note"):
        assert frame[name].cast(pl.Series(SHOP[name]).dtype).equals(pl.Series(SHOP[name]))


@pytest.mark.slow
def test_bytes_do_not_depend_on_how_the_source_cuts_its_batches():
    files = {encode_table(encode_jsonl_gzip, SHOP, batch_rows=n)[0] for n in (997, 16_384, 70_000)}
    assert len(files) == 1


def test_an_empty_table_is_an_empty_file():
    data, _ = encode_table(encode_jsonl_gzip, SHOP.slice(0, 0))
    assert gzip.decompress(data) == b""


def test_a_file_whose_source_fails_cannot_be_taken_for_a_whole_one():
    partial = bytes_before_failure(encode_jsonl_gzip, SHOP)
    with pytest.raises(EOFError):
        gzip.decompress(partial)


def test_a_table_without_columns_is_refused():
    with pytest.raises(LimitExceeded, match="without columns"):
        encode_table(encode_jsonl_gzip, pa.table({}))
