"""Headings in two rows, and rows kept free above them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from tests.support.encoded import encode_table
from tests.support.workbooks import encode, read_calamine
from waybill import Principal, dataset
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.errors import ExportRejected
from waybill.exporter.formats.archive.workbook_archive import workbook_archive_encoder
from waybill.exporter.formats.xlsx import placement
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.formats.xlsx.limits import MAX_DATA_ROWS
from waybill.exporter.formats.xlsx.placement import Placement
from waybill.exporter.formats.xlsx.sheet_names import SheetNames
from waybill.exporter.rows.batch_cuts import Cut
from waybill.exporter.rows.seals import sealed

_TABLE = pa.table(
    {
        "id": [1, 2, 3],
        "name": ["Ann", "Bob", None],
        "city": ["Rome", "Bonn", "Rome"],
        "net": [1.5, 2.5, 3.5],
        "state": ["open"] * 3,
    }
)
GROUPED = Layout(
    title="Orders",
    columns={
        "name": Column(group="Customer"),
        "city": Column(group="Customer", label="City"),
        "net": Column(group="Amount", number_format="0.00"),
    },
)


def _open(layout: Layout, table: pa.Table = _TABLE) -> Any:
    return openpyxl.load_workbook(io.BytesIO(encode(table, layout, batch_rows=2)[0]))


def _values(sheet: Any) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


@pytest.mark.parametrize("counted", [None, 3])
def test_neighbours_of_one_group_have_one_cell_above_them(counted: int | None) -> None:
    sheet = _open(replace(GROUPED, rows_expected=counted))["Orders"]
    assert _values(sheet)[:3] == [
        [None, "Customer", None, "Amount", None],
        ["id", "name", "City", "net", "state"],
        [1, "Ann", "Rome", 1.5, "open"],
    ]
    assert [str(area) for area in sheet.merged_cells.ranges] == ["B1:C1"]
    assert sheet["B1"].font.b
    assert sheet["D3"].number_format == "0.00"


def test_the_filter_is_in_the_row_of_the_headings_and_both_rows_stay_in_view() -> None:
    sheet = _open(GROUPED)["Orders"]
    assert (sheet.auto_filter.ref, sheet.freeze_panes) == ("A2:E5", "A3")
    assert sheet.print_title_rows == "$1:$2"


def test_another_reader_finds_the_same() -> None:
    data, _ = encode(_TABLE, GROUPED)
    rows = read_calamine(data)["Orders"]
    assert rows[0][1] == "Customer"
    assert rows[1] == ["id", "name", "City", "net", "state"]
    assert len(rows) == 5


def test_columns_that_are_no_neighbours_have_a_cell_each() -> None:
    table = _TABLE.select(["name", "id", "city"])
    sheet = _open(GROUPED, table)["Orders"]
    assert [cell.value for cell in sheet[1]] == ["Customer", None, "Customer"]
    assert not sheet.merged_cells.ranges


def test_without_a_column_of_a_group_there_is_one_row_of_headings() -> None:
    sheet = _open(GROUPED, _TABLE.select(["id", "state"]))["Orders"]
    assert _values(sheet)[0] == ["id", "state"]
    assert sheet.freeze_panes == "A2"


def test_every_sheet_has_both_rows() -> None:
    book = _open(replace(GROUPED, sheet_by="city"))
    assert book.sheetnames == ["Rome", "Bonn"]
    for sheet in book:
        assert [sheet.cell(1, 2).value, sheet.cell(2, 2).value] == ["Customer", "name"]
    assert book["Rome"]["A4"].value == 3


def test_a_group_is_in_the_language_of_the_reader() -> None:
    column = Column(group={"en": "Customer", "zh": "客户"})
    assert column.is_translated
    seen = column.seen_by(Principal("ann", "acme"), "zh")
    assert _open(Layout(columns={"name": seen}))["Export"]["B1"].value == "客户"


def test_rows_above_are_for_the_hook_and_rows_of_data_are_not() -> None:
    def decorate(workbook: Any, sheets: Sequence[Any]) -> None:
        for sheet in sheets:
            sheet.write_string(0, 0, "ACME Ltd")
            sheet.write_string(sheet.header_row + sheet.data_rows + 1, 0, "end")

    layout = replace(GROUPED, rows_above=2, decorate=decorate)
    rows = _values(_open(layout)["Orders"])
    assert rows[0][0] == "ACME Ltd"
    assert rows[3] == ["id", "name", "City", "net", "state"]
    assert [row[0] for row in rows[4:]] == [1, 2, 3, "end"]

    def too_low(workbook: Any, sheets: Sequence[Any]) -> None:
        sheets[0].write_string(sheets[0].header_row + 1, 0, "here")

    with pytest.raises(ExportRejected, match="row 5 of 'Orders'"):
        encode(_TABLE, replace(layout, decorate=too_low))


def test_a_sheet_is_full_that_much_earlier() -> None:
    places = Placement(_TABLE.schema, Layout(), SheetNames(), first_row=5)
    rows = pa.table({"n": pa.nulls(MAX_DATA_ROWS, pa.null())}).to_batches()
    placed = [piece for cut in places.place(map(Cut.of, sealed(rows))) for piece in cut.pieces]
    assert sum(piece.rows for piece in placed) == MAX_DATA_ROWS
    assert max(piece.first_row + piece.rows - 1 for piece in placed) == 1_048_576
    assert len(places.sheets) == 2


def test_each_workbook_of_an_archive_has_one_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    from waybill.exporter.formats.archive import workbook_archive

    monkeypatch.setattr(workbook_archive, "MAX_DATA_ROWS", 2)
    monkeypatch.setattr(placement, "MAX_DATA_ROWS", 2)
    encoder = workbook_archive_encoder(encode_xlsx, part_rows=2)
    data, tally = encode_table(encoder, _TABLE, GROUPED)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [name for name in archive.namelist() if name.endswith(".xlsx")]
        books = [openpyxl.load_workbook(io.BytesIO(archive.read(name))) for name in parts]
    assert [[sheet.title for sheet in book] for book in books] == [["Orders"]] * 3
    assert tally.rows == 3


@pytest.mark.parametrize("rows", [-1, 101])
def test_only_so_many_rows_can_be_kept_free(rows: int) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        dataset("others", rows_above=rows)
