"""What a workbook says before its rows: its content types, and how many rows there will be."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from tests.support.encoded import encode_table
from tests.support.workbooks import SHEET, encode, parts, read_openpyxl
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats.archive.workbook_archive import workbook_archive_encoder
from waybill.exporter.formats.xlsx.encode import encode_xlsx

_TABLE = pa.table({"n": range(40), "city": [f"c{n // 10}" for n in range(40)]})


def _with_total(workbook: Any, sheets: Sequence[Any]) -> None:
    for sheet in sheets:
        sheet.write_comment(0, 0, "made by Waybill")
        sheet.write_number(sheet.data_rows + 1, 3, 1)


def _names(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return package.namelist()


@pytest.mark.parametrize(
    "layout",
    [
        Layout(),
        Layout(rows_expected=40),
        Layout(about=[("Made by", "anna")]),
        Layout(sheet_by="city", about=[("Made by", "anna")]),
        Layout(decorate=_with_total, rows_expected=40),
    ],
)
def test_the_content_types_come_first_and_name_every_part(layout: Layout) -> None:
    """FC19"""
    data, _ = encode(_TABLE, layout)
    assert _names(data)[0] == "[Content_Types].xml"
    types = parts(data)["[Content_Types].xml"].decode()
    for name in _names(data)[1:]:
        is_sheet = re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name) is not None
        default = name.endswith((".rels", ".vml")) or is_sheet
        assert (f'PartName="/{name}"' in types) != default


def test_they_come_last_only_where_a_hook_may_add_parts_for_each_sheet() -> None:
    data, _ = encode(_TABLE, Layout(decorate=_with_total, sheet_by="city"))
    assert "[Content_Types].xml" in _names(data)[4:]


@pytest.mark.parametrize(("rows", "reach"), [(0, "A1:B1"), (1, "A1:B2"), (40, "A1:B41")])
def test_a_counted_sheet_states_its_range(rows: int, reach: str) -> None:
    """FC17"""
    data, _ = encode(_TABLE.slice(0, rows), Layout(rows_expected=rows), batch_rows=7)
    sheet = openpyxl.load_workbook(io.BytesIO(data), read_only=True).worksheets[0]
    assert f'<dimension ref="{reach}"/>'.encode() in parts(data)[SHEET]
    assert (sheet.max_row, sheet.max_column) == (rows + 1, 2)


def test_the_range_holds_what_a_hook_writes() -> None:
    data, _ = encode(_TABLE, Layout(decorate=_with_total, rows_expected=40), batch_rows=7)
    assert b'<dimension ref="A1:D42"/>' in parts(data)[SHEET]


@pytest.mark.parametrize("layout", [Layout(), Layout(rows_expected=40, sheet_by="city")])
def test_a_sheet_that_was_not_counted_states_none(layout: Layout) -> None:
    assert b"<dimension" not in parts(encode(_TABLE, layout)[0])[SHEET]


@pytest.mark.parametrize("counted", [39, 41])
def test_a_wrong_count_ends_the_export(counted: int) -> None:
    with pytest.raises(IncompleteExport):
        encode(_TABLE, Layout(rows_expected=counted), batch_rows=7)


def test_each_workbook_of_an_archive_states_its_own_range() -> None:
    encoder = workbook_archive_encoder(encode_xlsx, part_rows=30)
    data, _ = encode_table(encoder, _TABLE, Layout(rows_expected=40))
    books = [part for name, part in parts(data).items() if name.endswith(".xlsx")]
    assert [_names(book)[0] for book in books] == ["[Content_Types].xml"] * 2
    reaches = [re.findall(rb'<dimension ref="(.*?)"', parts(book)[SHEET]) for book in books]
    assert reaches == [[b"A1:B31"], [b"A1:B11"]]
    assert [len(read_openpyxl(book)["Export"]) for book in books] == [31, 11]
