"""Workbooks made for a test, and what independent readers find in them."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

import openpyxl
import pyarrow as pa
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook

from tests.support.encoded import encode_table
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx

SHEET = "xl/worksheets/sheet1.xml"


def encode(
    table: pa.Table, layout: Layout | None = None, *, batch_rows: int = 1 << 20
) -> tuple[bytes, Tally]:
    """`table` as an XLSX file, and the tally of it."""
    return encode_table(encode_xlsx, table, layout, batch_rows=batch_rows)


def read_openpyxl(data: bytes) -> dict[str, list[list[Any]]]:
    """Every sheet's rows, header included, as openpyxl reads them."""
    book = openpyxl.load_workbook(io.BytesIO(data))
    return {
        sheet.title: [[_shown(cell) for cell in row] for row in sheet.iter_rows()]
        for sheet in book.worksheets
    }


def _shown(cell: Any) -> Any:
    """What Excel would show: openpyxl leaves `_xHHHH_` in text and types text by its looks."""
    if cell.data_type == "f":
        raise AssertionError(f"{cell.coordinate} is a formula: {cell.value!r}")
    return unescape(cell.value) if isinstance(cell.value, str) else cell.value


def read_calamine(data: bytes) -> dict[str, list[list[Any]]]:
    """Every sheet's rows, header included, as calamine reads them."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def parts(data: bytes) -> dict[str, bytes]:
    """Every part of the package."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return {name: package.read(name) for name in package.namelist()}


def column_values(rows: list[list[Any]], column: int = 0) -> list[Any]:
    """One column below the header."""
    return [row[column] if column < len(row) else None for row in rows[1:]]


def naive(year: int, month: int, day: int, *clock: int) -> datetime:
    """A timestamp without zone, as cells hold them."""
    return datetime(year, month, day, *clock)  # noqa: DTZ001
