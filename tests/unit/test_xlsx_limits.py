"""C34, C35: what a sheet can hold, to the row and to the column."""

from __future__ import annotations

import io
from collections.abc import Iterator

import polars as pl
import pyarrow as pa
import pytest
from python_calamine import CalamineWorkbook

from tests.support.workbooks import encode, parts, read_calamine, read_openpyxl
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import LimitExceeded
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.encode import cut_blocks, encode_xlsx
from waybill.exporter.formats.xlsx.limits import BLOCK_BYTES, MAX_SHEETS
from waybill.exporter.rows.seals import sealed

_SHEET_ROWS = 1_048_576


def _numbers(rows: int) -> pa.Table:
    return pa.table({"n": pl.int_range(rows, dtype=pl.Int32, eager=True).to_arrow()})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "sheets"),
    [
        # Rows with the header: 1,048,575, 1,048,576 and 1,048,577.
        (_SHEET_ROWS - 2, {"Export": _SHEET_ROWS - 1}),
        (_SHEET_ROWS - 1, {"Export": _SHEET_ROWS}),
        (_SHEET_ROWS, {"Export": _SHEET_ROWS, "Export (2)": 2}),
    ],
)
def test_the_next_sheet_begins_at_excels_last_row(rows: int, sheets: dict[str, int]) -> None:
    data, tally = encode(_numbers(rows))
    assert tally.rows == rows
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    assert book.sheet_names == list(sheets)
    for name, height in sheets.items():
        sheet = book.get_sheet_by_name(name)
        assert sheet.height == height
        assert next(sheet.iter_rows()) == ["n"]


@pytest.mark.slow
def test_nothing_is_lost_or_repeated_where_a_sheet_ends() -> None:
    data, _ = encode(_numbers(_SHEET_ROWS + 5))
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    second = book.get_sheet_by_name("Export (2)").to_python()
    assert [row[0] for row in second[1:]] == list(range(_SHEET_ROWS - 1, _SHEET_ROWS + 5))
    assert parts(data)["xl/workbook.xml"].count(b"_FilterDatabase") == 2


def test_a_table_without_rows_is_a_workbook_with_a_header() -> None:
    data, tally = encode(_numbers(0))
    assert read_openpyxl(data) == {"Export": [["n"]]}
    assert tally.rows == 0


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        encode(pa.table({}))


@pytest.mark.slow
def test_excels_last_column_can_be_used() -> None:
    table = pa.table({f"c{n}": [n, None] for n in range(16_384)})
    rows = read_calamine(encode(table)[0])["Export"]
    assert rows[0][-1] == "c16383"
    assert rows[1] == list(range(16_384))


def test_one_column_more_is_refused_before_a_row_is_read() -> None:
    def never() -> Iterator[pa.RecordBatch]:
        raise AssertionError("a row was read")
        yield

    schema = pa.schema([(f"c{n}", pa.int8()) for n in range(16_385)])
    with pytest.raises(LimitExceeded, match="16,385"):
        list(encode_xlsx(schema, never(), Layout(), Tally()))


def test_more_sheets_than_excel_bears_are_refused() -> None:
    table = _numbers(MAX_SHEETS + 1)
    with pytest.raises(LimitExceeded, match="sheets"):
        encode(table, Layout(sheet_by="n"))


@pytest.mark.slow
def test_long_texts_are_rendered_a_few_rows_at_a_time() -> None:
    """C32: what is rendered at once is bounded in bytes, not only in rows."""
    texts = ["x" * (1_000_000 if number % 3 else 10) for number in range(60)]
    batch = pa.RecordBatch.from_pydict({"t": texts})
    cuts = [cut.open() for cut in cut_blocks(batch.schema, sealed([batch]))]
    assert pa.concat_tables(cuts)["t"].to_pylist() == texts
    assert all(cut.nbytes <= BLOCK_BYTES or cut.num_rows == 1 for cut in cuts)
    data, tally = encode(pa.Table.from_batches([batch]))
    assert tally.warnings == {("t", "truncated_text"): 40}
    assert len(read_calamine(data)["Export"]) == 61


def test_wide_tables_are_rendered_a_few_rows_at_a_time() -> None:
    table = pa.table({f"c{n}": pa.nulls(1_000, pa.int8()) for n in range(1_000)})
    cuts = cut_blocks(table.schema, sealed(table.to_batches()))
    assert {cut.rows for cut in cuts} == {163, 22}
