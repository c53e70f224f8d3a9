"""Every recipe of the cookbook in ``docs/workbooks.md`` runs, and does what its heading says."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from tests.support.workbooks import encode
from waybill.exporter.datasets.layout import Column, Layout

_PAGE = Path(__file__).parents[2] / "docs/workbooks.md"
_COOKBOOK = _PAGE.read_text(encoding="utf-8").partition("## Cookbook")[2]
RECIPES = dict(re.findall(r"### (.+?)\n.*?```python\n(.*?)```", _COOKBOOK, re.DOTALL))
_ROWS = pa.table(
    {"city": ["Rome", "Bonn", "上海"], "net": [1.5, -2.0, 4.25], "state": ["open"] * 3}
)


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x0f\x76\x6e" * 4) * 4)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def _brand() -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet["B2"] = "ACME Ltd"
    sheet["B2"].font = Font(name="Arial", size=24, bold=True, color="FF0F766E")
    sheet["B2"].alignment = Alignment(horizontal="center", vertical="center")
    sheet.merge_cells("B2:D2")
    sheet["B4"] = "Report"
    sheet["B4"].fill = PatternFill("solid", fgColor="FFE5EAF1")
    sheet["B4"].border = Border(bottom=Side("thin"))
    sheet["B5"] = "=1+1"
    sheet.column_dimensions["B"].width = 40
    sheet.row_dimensions[2].height = 60
    return book


def _made(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, layout: Layout) -> Any:
    (folder / "logo.png").write_bytes(_png())
    _brand().save(folder / "brand.xlsx")
    monkeypatch.chdir(folder)
    found: dict[str, Any] = {}
    exec(compile(RECIPES[name], name, "exec"), found)
    data, tally = encode(_ROWS, replace(layout, decorate=found["decorate"]), batch_rows=2)
    assert tally.rows == 3
    return openpyxl.load_workbook(io.BytesIO(data))


def _colours(book: Any, top: int) -> None:
    [area] = book["Orders"].conditional_formatting
    assert str(area.sqref) == f"B{top + 1}:B{top + 3}"
    assert {rule.type for rule in area.rules} == {"dataBar", "cellIs"}


def _total(book: Any, top: int) -> None:
    cell = book["Orders"].cell(top + 4, 2)
    assert cell.value == f"=SUBTOTAL(109,B{top + 1}:B{top + 3})"
    assert cell.font.bold


def _list(book: Any, top: int) -> None:
    [rule] = book["Orders"].data_validations.dataValidation
    assert (str(rule.sqref), rule.formula1) == (f"C{top + 1}:C{top + 3}", '"open,done"')


def _chart(book: Any, top: int) -> None:
    [chart] = book["Chart"]._charts
    assert chart.series[0].val.numRef.f == f"Orders!$B${top + 1}:$B${top + 3}"


def _title(book: Any, top: int) -> None:
    sheet = book["Orders"]
    assert (sheet["B1"].value, sheet["B2"].value) == ("ACME Ltd: orders", "Confidential")
    assert sheet.row_dimensions[1].height == 36


def _cover(book: Any, top: int) -> None:
    cover = book["Cover"]
    assert book.active is cover
    assert [str(area) for area in cover.merged_cells.ranges] == ["B2:D2"]
    title, report = cover["B2"], cover["B4"]
    assert (title.value, report.value, cover["B5"].value) == ("ACME Ltd", "Report", "=1+1")
    assert (title.font.name, title.font.sz, title.font.b) == ("Arial", 24, True)
    assert title.font.color.rgb == "FF0F766E"
    assert (title.alignment.horizontal, title.alignment.vertical) == ("center", "center")
    assert report.fill.fgColor.rgb == "FFE5EAF1"
    assert report.border.bottom.style == "thin"
    assert cover.column_dimensions["B"].width > 40
    assert cover.row_dimensions[2].height == 60


def _footer(book: Any, top: int) -> None:
    sheet = book["Orders"]
    assert sheet.oddFooter.center.text == "Confidential"
    assert sheet.page_setup.paperSize == 9


def _protected(book: Any, top: int) -> None:
    protection = book["Orders"].protection
    assert protection.sheet
    assert not protection.autoFilter


CHECKS: dict[str, Callable[[Any, int], None]] = {
    "Colour values that stand out": _colours,
    "A total below the last row": _total,
    "Cells to choose from a list": _list,
    "A chart on a sheet of its own": _chart,
    "A title and a logo above the headings": _title,
    "A cover from your own template": _cover,
    "A footer for printing": _footer,
    "Cells that cannot be changed": _protected,
}

GROUPED = {"city": Column(group="Place"), "net": Column(number_format="0.00")}


def test_no_recipe_is_untested() -> None:
    assert set(RECIPES) == set(CHECKS)


PLAIN = Layout(title="Orders")
LOWER = Layout(title="Orders", rows_above=3, columns=GROUPED)


@pytest.mark.parametrize(
    ("name", "layout", "top"),
    [
        *((name, LOWER, 5) for name in CHECKS),
        *((name, PLAIN, 1) for name in CHECKS if "above the headings" not in name),
    ],
)
def test_a_recipe_does_what_its_heading_says(
    name: str, layout: Layout, top: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = _made(name, tmp_path, monkeypatch, layout)
    sheet = book["Orders"]
    assert [cell.value for cell in sheet[top]] == ["city", "net", "state"]
    assert [sheet.cell(top + row, 1).value for row in (1, 2, 3)] == ["Rome", "Bonn", "上海"]
    CHECKS[name](book, top)
