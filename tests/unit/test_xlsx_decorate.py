"""What a dataset's `decorate` hook can add to streamed sheets, and what it cannot."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from tests.support.workbooks import SHEET, encode, parts, read_openpyxl
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import ExportRejected

_TABLE = pa.table(
    {"n": pa.array(range(1, 101), pa.int32()), "day": pa.array([0] * 100, pa.date32())}
)
_Sheets = Sequence[Any]


def _file(decorate: Callable[[Any, _Sheets], None], table: pa.Table = _TABLE, **more: Any) -> bytes:
    return encode(table, Layout(title="Orders", decorate=decorate, **more), batch_rows=30)[0]


def _open(data: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(data))


def test_ranges_reach_to_the_last_row() -> None:
    def decorate(workbook: Any, sheets: _Sheets) -> None:
        for sheet in sheets:
            sheet.conditional_format(1, 0, sheet.data_rows, 0, {"type": "data_bar"})
            sheet.data_validation(
                1, 0, sheet.data_rows, 0, {"validate": "integer", "criteria": ">", "value": 0}
            )

    sheet = _open(_file(decorate))["Orders"]
    assert [str(ranges.sqref) for ranges in sheet.conditional_formatting] == ["A2:A101"]
    assert [str(rule.sqref) for rule in sheet.data_validations.dataValidation] == ["A2:A101"]
    assert sheet.auto_filter.ref == "A1:B101"
    assert sheet.freeze_panes == "A2"


def test_a_chart_on_its_own_sheet_shows_streamed_rows() -> None:
    def decorate(workbook: Any, sheets: _Sheets) -> None:
        chart = workbook.add_chart({"type": "column"})
        chart.add_series({"values": ["Orders", 1, 0, max(sheets[0].data_rows, 1), 0]})
        workbook.add_worksheet("Summary").insert_chart("A1", chart)

    data = _file(decorate)
    book = _open(data)
    assert book.sheetnames == ["Orders", "Summary"]
    (chart,) = book["Summary"]._charts
    assert chart.series[0].val.numRef.f == "Orders!$A$2:$A$101"
    assert len(read_openpyxl(data)["Orders"]) == 101


def test_totals_stand_below_the_last_row() -> None:
    def decorate(workbook: Any, sheets: _Sheets) -> None:
        for sheet in sheets:
            last = sheet.data_rows
            bold = workbook.add_format({"bold": True})
            sheet.write_formula(last + 1, 0, f"=SUM(A2:A{last + 1})", bold, 5050)

    sheet = _open(_file(decorate))["Orders"]
    assert sheet["A101"].value == 100
    assert sheet["A102"].value == "=SUM(A2:A101)"
    assert sheet["A102"].font.bold


def test_a_table_takes_the_place_of_the_filter() -> None:
    def decorate(workbook: Any, sheets: _Sheets) -> None:
        for sheet in sheets:
            columns = [{"header": "n"}, {"header": "day"}]
            sheet.add_table(0, 0, max(sheet.data_rows, 1), 1, {"columns": columns})

    sheet = _open(_file(decorate))["Orders"]
    assert [table.ref for table in sheet.tables.values()] == ["A1:B101"]
    assert sheet.auto_filter.ref is None


def test_a_format_given_to_a_column_is_that_of_its_cells() -> None:
    def decorate(workbook: Any, sheets: _Sheets) -> None:
        for sheet in sheets:
            sheet.set_column(0, 0, 30, workbook.add_format({"num_format": "0.000"}))

    sheet = _open(_file(decorate))["Orders"]
    assert sheet["A2"].number_format == "0.000"
    assert sheet.column_dimensions["A"].width > 30


def test_a_width_given_to_a_column_leaves_its_dates_dates() -> None:
    sheet = _open(_file(lambda workbook, sheets: sheets[0].set_column(1, 1, 30)))["Orders"]
    assert sheet["B2"].number_format == "yyyy-mm-dd"


def test_data_sheets_keep_clear_of_names_the_hook_uses() -> None:
    table = pa.table({"n": [1, 2], "city": ["Summary", "Berlin"]})
    data = _file(lambda workbook, sheets: workbook.add_worksheet("Summary"), table, sheet_by="city")
    assert _open(data).sheetnames == ["Summary (2)", "Berlin", "Summary"]


def test_every_data_sheet_is_decorated() -> None:
    def decorate(workbook: Any, sheets: _Sheets) -> None:
        for sheet in sheets:
            sheet.conditional_format(1, 0, sheet.data_rows, 0, {"type": "2_color_scale"})

    table = pa.table({"n": range(100), "city": ["ab"[n % 2] for n in range(100)]})
    book = _open(_file(decorate, table, sheet_by="city"))
    found = [[str(area.sqref) for area in sheet.conditional_formatting] for sheet in book]
    assert found == [["A2:A51"], ["A2:A51"]]


def test_a_comment_beside_a_value_leaves_the_row_ours() -> None:
    data = _file(lambda workbook, sheets: sheets[0].write_comment("A5", "look"))
    sheet = _open(data)["Orders"]
    assert sheet["A5"].comment.text == "look"
    assert parts(data)[SHEET].count(b'<row r="5"') == 1


def _comes_first(workbook: Any, sheets: _Sheets) -> None:
    workbook.worksheets_objs.insert(0, workbook.add_worksheet())


def _draws_something_new_each_time() -> Callable[[Any, _Sheets], None]:
    colours = iter(["#000001", "#000002", "#000003", "#000004"])
    return lambda workbook, sheets: sheets[0].set_tab_color(next(colours))


@pytest.mark.parametrize(
    ("decorate", "reason"),
    [
        (lambda workbook, sheets: sheets[0].write_string(4, 0, "mine"), "row 5 of 'Orders'"),
        (lambda workbook, sheets: sheets[0].set_row(4, 30), "row 5 of 'Orders'"),
        (lambda workbook, sheets: sheets[0].write_string(1_048_575, 0, "x"), "last row"),
        (lambda workbook, sheets: workbook.add_worksheet("a/b"), "Invalid Excel character"),
        (_comes_first, "moved"),
        (_draws_something_new_each_time(), "two different designs"),
    ],
)
def test_what_a_streamed_sheet_cannot_have_fails_the_export_at_once_and_for_good(
    decorate: Callable[[Any, _Sheets], None], reason: str
) -> None:
    with pytest.raises(ExportRejected, match=reason):
        _file(decorate)


def test_an_error_of_the_hook_itself_is_not_hidden() -> None:
    def decorate(workbook: Any, sheets: _Sheets) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _file(decorate)


def test_what_stands_above_the_rows_cannot_depend_on_their_number() -> None:
    def decorate(workbook: Any, sheets: _Sheets) -> None:
        sheets[0].set_column(0, 0, 10 if sheets[0].data_rows < 20_000 else 20)

    with pytest.raises(ExportRejected, match="two different designs"):
        _file(decorate, pa.table({"n": pa.nulls(20_000, pa.int8())}))
