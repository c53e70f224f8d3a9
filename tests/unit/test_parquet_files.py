"""Parquet as PyArrow, DuckDB and Polars read it."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.corpus.cells import CELLS, CellCase
from tests.support.benchmark_rows import make_batches
from tests.support.encoded import bytes_before_failure, encode_table
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import LimitExceeded
from waybill.exporter.formats import parquet
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.parquet import parquet_encoder
from waybill.exporter.formats.parquet_profiles import SMALL
from waybill.exporter.rows.seals import sealed
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as

encode_parquet = parquet_encoder()
SHOP = pa.Table.from_batches(make_batches(300_000))


def read(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data))


@pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)
def test_parquet_gives_back_each_hostile_value(case: CellCase):
    data, tally = encode_table(encode_parquet, case.table)

    assert _spelled(read(data)["value"].combine_chunks()) == _spelled(case.array)
    assert {rule: count for (_, rule), count in tally.warnings.items()} == case.parquet_warnings


def _spelled(array: pa.Array) -> str:
    """The values as text, since NaN is not equal to itself; dates as counts, since Python's end."""
    if pa.types.is_date32(array.type):
        array = array.cast(pa.int32())
    elif pa.types.is_timestamp(array.type):
        # Parquet knows no seconds.
        unit = "ms" if array.type.unit == "s" else array.type.unit
        array = array.cast(pa.timestamp(unit, array.type.tz)).cast(pa.int64())
    return repr(array.to_pylist())


def test_the_arrow_schema_is_kept_with_its_metadata():
    schema = pa.schema(
        [
            pa.field("n", pa.string(), nullable=False, metadata={b"unit": b"m"}),
            pa.field("id", pa.uuid()),
            pa.field("a.b", pa.timestamp("us", "Asia/Tokyo")),
            pa.field("word", pa.dictionary(pa.int32(), pa.string())),
        ],
        metadata={b"k": b"v"},
    )
    data, _ = encode_table(encode_parquet, schema.empty_table())
    assert read(data).schema.equals(schema, check_metadata=True)


def test_dictionaries_that_differ_between_batches_are_all_kept():
    field = pa.field("word", pa.dictionary(pa.int32(), pa.string()))
    words = [["a", "b"], ["c", None], ["b", "d"]]
    batches = [
        pa.record_batch([pa.array(part).dictionary_encode()], schema=pa.schema([field]))
        for part in words
    ]
    data = b"".join(encode_parquet(pa.schema([field]), sealed(batches), Layout(), Tally()))
    assert read(data)["word"].to_pylist() == ["a", "b", "c", None, "b", "d"]


@pytest.mark.slow
def test_duckdb_and_polars_read_the_same_rows(tmp_path):
    data, tally = encode_table(encode_parquet, SHOP)
    path = tmp_path / "shop.parquet"
    path.write_bytes(data)

    assert tally.rows == SHOP.num_rows
    connection = duckdb.connect()
    connection.register("shop", SHOP)
    for one, other in (("shop", f"'{path}'"), (f"'{path}'", "shop")):
        missing = f"SELECT count(*) FROM (FROM {one} EXCEPT ALL FROM {other})"  # noqa: S608
        assert connection.sql(missing).fetchall() == [(0,)]
    connection.close()
    assert pl.read_parquet(data).equals(pl.DataFrame(SHOP))
    assert read(data).equals(SHOP)


def test_row_groups_are_bounded_and_yielded_one_by_one():
    chunks = list(encode_parquet(SHOP.schema, sealed(SHOP.to_batches()), Layout(), Tally()))

    metadata = pq.ParquetFile(io.BytesIO(b"".join(chunks))).metadata

    sizes = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert sizes == [131_072, 131_072, 37_856]
    # One chunk for each group, and one for the footer.
    assert len(chunks) == len(sizes) + 1
    assert metadata.row_group(0).column(0).compression == "SNAPPY"
    assert metadata.format_version == "1.0"


def test_the_small_profile_is_smaller_and_holds_the_same():
    small, _ = encode_table(parquet_encoder(SMALL), SHOP)
    plain, _ = encode_table(encode_parquet, SHOP)
    assert len(small) < 0.85 * len(plain)
    assert read(small).equals(read(plain))
    assert pq.read_metadata(io.BytesIO(small)).row_group(0).column(0).compression == "ZSTD"


def test_nanoseconds_are_kept_in_any_profile():
    kinds = [pa.timestamp("ns"), pa.timestamp("ns", "UTC"), pa.time64("ns")]
    table = pa.table({str(kind): pa.array([1, 1_001, None], kind) for kind in kinds})
    nested = pa.array([[1], [1_001], None], pa.list_(pa.timestamp("ns")))
    table = table.append_column("nested", nested)
    assert read(encode_table(encode_parquet, table)[0]).equals(table)


DECLARED = [kind for kind in DeclaredKind if kind is not DeclaredKind.JSON]


@pytest.mark.parametrize("kind", DECLARED)
def test_fc01_fc32_a_column_that_had_to_become_text_is_counted_and_says_so(kind: DeclaredKind):
    field = pa.field("v", pa.string(), metadata=declared_as(kind))
    table = pa.table([["2024-01-01", "infinity", None]], schema=pa.schema([field]))

    data, tally = encode_table(encode_parquet, table)

    assert tally.warnings == {("v", "type_as_text"): 2}
    stored = pq.read_schema(io.BytesIO(data))
    assert read(data)["v"].to_pylist() == ["2024-01-01", "infinity", None]
    assert stored.field("v").metadata == {**field.metadata, b"waybill.rule": b"type_as_text"}
    assert json.loads(pq.read_metadata(io.BytesIO(data)).metadata[b"waybill.warnings"]) == [
        {"column": "v", "rule": "type_as_text", "count": 2}
    ]


def test_fc29_json_has_the_logical_type_and_what_is_none_is_a_string(tmp_path):
    field = pa.field("doc", pa.string(), metadata=declared_as(DeclaredKind.JSON))
    texts = ['{"a": 1.10}', "null", None, '{"oops', "NaN"]
    data, tally = encode_table(encode_parquet, pa.table([texts], schema=pa.schema([field])))

    assert tally.warnings == {("doc", "type_as_text"): 2}
    parquet_column = pq.ParquetFile(io.BytesIO(data)).schema.column(0)
    assert parquet_column.logical_type.type == "JSON"
    assert read(data)["doc"].to_pylist() == [*texts[:3], '"{\\"oops"', '"NaN"']
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    kinds = duckdb.sql(f"SELECT typeof(doc), json_type(doc) FROM '{path}'")  # noqa: S608
    assert kinds.fetchall() == [
        ("JSON", "OBJECT"),
        ("JSON", "NULL"),
        ("JSON", None),
        ("JSON", "VARCHAR"),
        ("JSON", "VARCHAR"),
    ]


def test_fc29_lists_structs_and_decimals_stay_what_they_are(tmp_path):
    table = pa.table(
        {
            "tags": pa.array([["x", None], [], None]),
            "point": pa.array([{"x": 1, "y": None}, None, {"x": 2, "y": 3}]),
            "total": pa.array([Decimal("1.25"), Decimal("-2.50"), None], pa.decimal128(20, 2)),
        }
    )
    path = tmp_path / "a.parquet"
    data, tally = encode_table(encode_parquet, table)
    path.write_bytes(data)

    assert not tally.warnings
    assert read(data).equals(table)
    summed = duckdb.sql(f"SELECT sum(total), sum(len(tags)), sum(point.x) FROM '{path}'")  # noqa: S608
    assert summed.fetchall() == [(Decimal("-1.25"), 2, 3)]


def test_wide_rows_make_smaller_row_groups(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1 << 20)
    table = pa.table({"text": ["x" * 10_000] * 500})
    data, _ = encode_table(encode_parquet, table, batch_rows=50)
    assert pq.ParquetFile(io.BytesIO(data)).metadata.num_row_groups == 5


@pytest.mark.slow
@pytest.mark.parametrize("rows", [997, 16_384, 300_000])
def test_bytes_do_not_depend_on_how_the_source_cuts_its_batches(rows: int):
    assert encode_table(encode_parquet, SHOP, batch_rows=rows) == encode_table(encode_parquet, SHOP)


@pytest.mark.parametrize("rows", [10_000, 300_000])
def test_a_file_whose_source_fails_has_no_footer(rows: int):
    partial = bytes_before_failure(encode_parquet, SHOP.slice(0, rows))
    # The first row group comes when the second is read.
    assert bool(partial) == (rows > 2 * 131_072)
    with pytest.raises(pa.ArrowInvalid):
        read(partial)


def test_an_abandoned_encoder_yields_no_footer_either():
    chunks = encode_parquet(SHOP.schema, sealed(SHOP.to_batches()), Layout(), Tally())
    partial = next(chunks)
    chunks.close()
    with pytest.raises(pa.ArrowInvalid):
        read(partial)


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([(1, 2, 0), None], pa.month_day_nano_interval(), ["P1M2D", None]),
        ([[(0, 1, 0)], None], pa.list_(pa.month_day_nano_interval()), ['["P1D"]', None]),
        ([{}, None], pa.struct([]), ["{}", None]),
    ],
)
def test_types_parquet_lacks_become_text_and_are_counted(values: Any, kind: Any, texts: Any):
    table = pa.table({"v": pa.array(values, kind)})
    data, tally = encode_table(encode_parquet, table)
    assert read(data)["v"].to_pylist() == texts
    assert tally.warnings == {("v", "type_as_text"): 1}


def test_infinite_seconds_are_infinite_milliseconds():
    seconds = pa.array([2**63 - 1, -(2**63), 1, None], pa.int64()).cast(pa.timestamp("s", "UTC"))
    data, tally = encode_table(encode_parquet, pa.table({"v": seconds}))
    found = read(data)["v"]
    assert found.type == pa.timestamp("ms", "UTC")
    assert found.cast(pa.int64()).to_pylist() == [2**63 - 1, -(2**63) + 1, 1_000, None]
    assert not tally.warnings


def test_run_end_encoding_is_undone():
    table = pa.table({"v": pa.compute.run_end_encode(pa.array(["a", "a", None]))})
    data, tally = encode_table(encode_parquet, table)
    assert read(data)["v"].to_pylist() == ["a", "a", None]
    assert not tally.warnings


def test_names_differ_even_for_readers_that_fold_case():
    table = pa.table([[1], [2], [3], [4]], names=["a", "A", "", "a"])
    data, tally = encode_table(encode_parquet, table)
    assert read(data).column_names == ["a", "A (2)", "column 3", "a (3)"]
    assert sum(tally.warnings.values()) == 3


def test_an_empty_table_is_a_file_with_a_schema():
    data, tally = encode_table(encode_parquet, SHOP.slice(0, 0))
    assert read(data).equals(SHOP.slice(0, 0))
    assert tally.rows == 0


def test_a_table_without_columns_is_refused():
    with pytest.raises(LimitExceeded, match="without columns"):
        encode_table(encode_parquet, pa.table({}))
