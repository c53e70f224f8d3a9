"""File shape: how many files and sheets an export becomes, and which format would serve better.

Nothing here renders anything. Excel's limits are from "Excel specifications and limits" and
"File size limits for workbooks" (support.microsoft.com).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.formats.xlsx.limits import MAX_COLUMNS, MAX_DATA_ROWS

#: Excel for the web opens no larger workbook, and a desktop takes minutes to open one.
_WORKBOOK_BYTES = 100 * 1024 * 1024
#: Full sheets, one after the other, beyond which a spreadsheet is the wrong program.
_MAX_USEFUL_SHEETS = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """Numbers of files and sheets; `sheets` is None where there are none or it is unknown."""

    files: int
    sheets: int | None


@dataclass(frozen=True, slots=True)
class BetterFormat:
    """A format that would serve better than the requested one, and why."""

    format: str
    #: Stable name of the reason.
    code: str
    reason: str


def shape_of(format_name: str, rows: int, csv_bytes: int, *, sheet_by: bool) -> Shape:
    """What `rows` become in this format; `csv_bytes` is their size as plain CSV."""
    item = FORMATS[format_name]
    if item.is_archive:
        return Shape(max(_parts(rows, item.part_rows), _parts(csv_bytes, item.part_bytes)), None)
    if item.is_workbook and not sheet_by:
        return Shape(1, _parts(rows, item.sheet_rows))
    return Shape(1, None)


def better_format(
    format_name: str, shape: Shape, rows: int, columns: int | None, size_bytes: int
) -> BetterFormat | None:
    """A format that suits this many rows, columns and bytes better, if there is one."""
    item = FORMATS[format_name]
    one_workbook = item.is_workbook and not item.is_archive
    if item.is_workbook and columns is not None and columns > MAX_COLUMNS:
        return BetterFormat(
            "csv.gz",
            "too_many_columns",
            f"A sheet holds {MAX_COLUMNS:,} columns; this export has {columns:,}.",
        )
    if item.is_workbook and rows > _MAX_USEFUL_SHEETS * MAX_DATA_ROWS:
        return BetterFormat(
            "parquet",
            "too_many_rows_for_a_spreadsheet",
            f"About {rows:,} rows are more than a spreadsheet can work with.",
        )
    if one_workbook and (shape.sheets or 0) > 1:
        return BetterFormat(
            "csv.zip",
            "several_sheets",
            f"A sheet holds {MAX_DATA_ROWS:,} rows, so about {rows:,} rows need {shape.sheets}"
            " sheets.",
        )
    if one_workbook and size_bytes > _WORKBOOK_BYTES:
        return BetterFormat(
            "csv.zip",
            "too_large_to_open",
            f"Excel for the web opens workbooks up to {_WORKBOOK_BYTES >> 20} MiB; this one will"
            f" have about {size_bytes >> 20} MiB.",
        )
    if item.visible_rows is not None and rows > item.visible_rows:
        return BetterFormat(
            "csv.zip",
            "rows_beyond_a_sheet",
            f"A spreadsheet shows the first {item.visible_rows:,} rows of a CSV file; csv.zip is"
            " cut into parts.",
        )
    return None


def _parts(total: int, each: int | None) -> int:
    return max(1, ceil(total / each)) if each else 1
