"""A template of the company stands above the rows, on every sheet, as it looks in its own file."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
import sqlalchemy as sa
import xlsxwriter
from openpyxl.styles import Font, PatternFill
from openpyxl.styles.colors import Color

from tests.support.encoded import encode_table
from tests.support.workbooks import encode, read_calamine
from waybill.exporter.datasets.dataset import Dataset, dataset
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.template import Template
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.config.settings import Settings
from waybill.infra.exports.plan import plan_export

TABLE = pa.table({"city": ["Rome", "Oslo", "Oslo"], "orders": [3, 4, 5]})


def _png(width: int, height: int) -> bytes:
    """A plain picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    rows = (b"\0" + b"\x0f\x76\x6e" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


LOGO = _png(120, 40)


def _brand(path: Path, change: Callable[[Any, Any], None] = lambda _book, _sheet: None) -> Path:
    """A template as somebody draws it: a logo, a merged title, a band of colour, a date."""
    file = path / "brand.xlsx"
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet("Letterhead")
    sheet.set_column(0, 0, 30)
    sheet.set_column(3, 3, 17)
    sheet.set_row(0, 42)
    sheet.insert_image(
        0, 0, "logo.png", {"image_data": io.BytesIO(LOGO), "x_offset": 6, "x_scale": 0.5}
    )
    title = {"bold": True, "font_size": 18, "font_color": "#0F766E", "valign": "vcenter"}
    sheet.merge_range(0, 1, 0, 3, "ACME 有限公司", book.add_format({**title, "align": "right"}))
    sheet.write_string(1, 0, "=not a formula", book.add_format({"italic": True, "text_wrap": True}))
    dated = book.add_format({"num_format": "d mmm yyyy", "bg_color": "#E0F2F1", "bottom": 2})
    sheet.write_datetime(1, 1, date(2026, 3, 1), dated)
    sheet.write_number(1, 2, 4.5, book.add_format({"num_format": "0.00"}))
    change(book, sheet)
    book.close()
    return file


def _layout(file: Path) -> Layout:
    template = Template.of(file)
    assert template is not None
    return Layout(title="Orders", template=template, rows_above=template.rows)


def _sheets(data: bytes) -> list[Any]:
    return openpyxl.load_workbook(io.BytesIO(data)).worksheets


def test_its_values_looks_sizes_and_pictures_are_above_the_rows(tmp_path: Path) -> None:
    data, tally = encode(TABLE, _layout(_brand(tmp_path)))

    [sheet] = _sheets(data)
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(max_col=3)]
    assert rows[0] == [None, "ACME 有限公司", None]
    assert rows[1][0] == "=not a formula"
    assert (rows[1][1].date(), rows[1][2]) == (date(2026, 3, 1), 4.5)
    assert rows[2:4] == [["city", "orders", None], ["Rome", 3, None]]
    assert (tally.rows, sheet.freeze_panes, sheet.auto_filter.ref) == (3, "A4", "A3:B6")
    assert [str(area) for area in sheet.merged_cells.ranges] == ["B1:D1"]
    title, dated = sheet["B1"], sheet["B2"]
    assert (title.font.b, title.font.sz, title.font.color.rgb) == (True, 18, "FF0F766E")
    assert (title.alignment.horizontal, title.alignment.vertical) == ("right", "center")
    assert (dated.number_format, dated.fill.fgColor.rgb) == ("d mmm yyyy", "FFE0F2F1")
    assert (dated.border.bottom.style, dated.border.top.style) == ("medium", None)
    assert (sheet["A2"].font.i, sheet["A2"].alignment.wrap_text) == (True, True)
    assert (sheet["A2"].data_type, sheet.row_dimensions[1].height) == ("s", 42)
    # At least as wide as drawn, and wider where the values need it.
    widths = {letter: column.width for letter, column in sheet.column_dimensions.items()}
    assert (round(widths["A"]), round(widths["D"])) == (31, 18)
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        [name] = [name for name in package.namelist() if name.startswith("xl/media/")]
        drawing = package.read("xl/drawings/drawing1.xml").decode()
        assert package.read(name) == LOGO
    # Half as wide as the picture is, six pixels from the edge.
    assert "<xdr:colOff>57150</xdr:colOff>" in drawing
    assert '<a:ext cx="571500" cy="381000"/>' in drawing
    # Other readers find the same rows.
    assert read_calamine(data)["Orders"][2:] == [["city", "orders", ""]] + [
        [city, count, ""] for city, count in zip(*TABLE.to_pydict().values(), strict=True)
    ]


def test_every_sheet_and_every_workbook_of_an_archive_has_it(tmp_path: Path) -> None:
    layout = _layout(_brand(tmp_path))
    data, _ = encode(TABLE, replace(layout, sheet_by="city"))
    assert [sheet["B1"].value for sheet in _sheets(data)] == ["ACME 有限公司"] * 2
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        drawings = [name for name in package.namelist() if name.startswith("xl/drawings/drawing")]
        types = package.read("[Content_Types].xml").decode()
    assert len(drawings) == 2
    assert all(f'"/{name}"' in types for name in drawings)

    archive, _ = encode_table(FORMATS["xlsx.zip"].encode, TABLE, layout)
    with zipfile.ZipFile(io.BytesIO(archive)) as package:
        [part] = [package.read(name) for name in package.namelist() if name.endswith(".xlsx")]
    assert _sheets(part)[0]["B1"].value == "ACME 有限公司"


def test_the_same_template_gives_the_same_bytes_and_one_of_a_shared_key(tmp_path: Path) -> None:
    file = _brand(tmp_path)
    first, other = _layout(file), Template.of(_brand(tmp_path, lambda _, s: s.write(3, 0, "more")))
    assert encode(TABLE, first)[0] == encode(TABLE, first)[0]
    assert other is not None

    def key_of(template: Template | None) -> str | None:
        item = Dataset("orders", lambda _p, _u: sa.select(sa.literal(1)), template=template)
        settings = Settings(home=tmp_path)
        return plan_export(settings, item, Principal("a", "b"), {}, "xlsx").single_flight_key

    assert None not in (keys := {key_of(first.template), key_of(other), key_of(None)})
    assert len(keys) == 3
    assert key_of(first.template) in keys


def test_a_hook_a_watermark_and_groups_have_their_rows_below_it(tmp_path: Path) -> None:
    def decorate(_workbook: Any, sheets: Any) -> None:
        for sheet in sheets:
            sheet.write_string(1, 0, "Filled in")

    template = Template.of(_brand(tmp_path))
    item = Dataset(
        "orders",
        lambda _params, _user: sa.select(sa.literal(1)),
        template=template,
        rows_above=3,
        decorate=decorate,
        columns={"city": Column(group="Where", width=9)},
        watermark="For {user}",
        watermark_row=True,
    )
    settings = Settings(home=tmp_path)
    layout = plan_export(settings, item, Principal("ann", "acme"), {}, "xlsx").layout
    [sheet] = _sheets(encode(TABLE, layout)[0])
    first = [row[0].value for row in sheet.iter_rows(max_row=7)]
    assert first == [None, "Filled in", None, "For ann", "Where", "city", "Rome"]
    # A width that the dataset declares is kept.
    assert round(sheet.column_dimensions["A"].width) == 10


def test_colours_of_a_theme_are_those_that_excel_shows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"] = "dark"
    sheet["A1"].font = Font(color=Color(theme=4))
    sheet["A1"].fill = PatternFill("solid", fgColor=Color(theme=4, tint=0.8))
    sheet["A2"] = "plain"
    sheet["A2"].font = Font(color=Color(theme=1))
    sheet["A3"] = "indexed"
    sheet["A3"].font = Font(color=Color(indexed=10))
    book.save(tmp_path / "theme.xlsx")
    template = Template.of(str(tmp_path / "theme.xlsx"))
    assert template is not None
    looks = [cell.look for cell in template.cells]
    # The accent and its "80 % lighter" of the theme of Office.
    assert (looks[0]["font_color"], looks[0]["bg_color"]) == ("#4F81BD", "#DCE6F2")
    assert (looks[1]["font_color"], looks[2]["font_color"]) == ("#000000", "#FF0000")


def _formula(_book: Any, sheet: Any) -> None:
    sheet.write_formula(2, 1, "=TODAY()")


def _long(_book: Any, sheet: Any) -> None:
    sheet.write_string(100, 0, "far below")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path / "none.xlsx", "cannot be read: No such file"),
        (lambda path: _written(path / "text.xlsx", b"a,b"), "is no XLSX workbook"),
        (lambda path: _written(path / "zip.xlsx", _zipped()), "is no XLSX workbook"),
        (lambda path: _brand(path, _formula), "a formula in B3"),
        (lambda path: _brand(path, _long), "has 101 rows"),
        (lambda path: _saved(path / "empty.xlsx"), "is empty"),
    ],
    ids=["missing", "text", "another zip", "formula", "too long", "empty"],
)
def test_what_is_no_template_is_refused_when_the_dataset_is_declared(
    tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        dataset("never", template=make(tmp_path))
    assert ".xlsx" in str(refused.value)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "hello")
    return file.getvalue()


def _saved(path: Path) -> Path:
    openpyxl.Workbook().save(path)
    return path
