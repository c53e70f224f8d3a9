"""How many files and sheets an export becomes, and which format would serve better.

Excel's limits are from "Excel specifications and limits" and "File size limits for workbooks"
(support.microsoft.com); nothing here renders anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from waybill.exporter.formats.xlsx.limits import MAX_COLUMNS, MAX_DATA_ROWS

#: Rows of a CSV part: below the 1,048,576 lines that a spreadsheet opens, and a round number.
CSV_PART_ROWS = 1_000_000
#: Raw bytes of a CSV part: 32-bit programs, and Windows' own unzipping, end at 2 GiB.
CSV_PART_BYTES = (2 << 30) - 1
#: Rows of a workbook in an archive: what one sheet holds below its header.
WORKBOOK_PART_ROWS = MAX_DATA_ROWS

#: Excel for the web opens no larger workbook, and a desktop takes minutes over one.
_WORKBOOK_BYTES = 100 * 1024 * 1024
#: More sheets or workbooks than a person looks at.
_MANY_PARTS = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """The parts of a file; `sheets` is None where there are none, or nobody knows how many."""

    files: int
    sheets: int | None


@dataclass(frozen=True, slots=True)
class BetterFormat:
    """A format that would serve better than the one asked for, and why."""

    format: str
    #: Stable name of the reason.
    code: str
    reason: str


def shape_of(chosen: str, rows: int, csv_bytes: int, *, sheet_by: bool) -> Shape:
    """What `rows` become as `chosen`; `csv_bytes` is their length as plain CSV."""
    if chosen == "xlsx":
        return Shape(1, None if sheet_by else _parts(rows, MAX_DATA_ROWS))
    if chosen == "xlsx.zip":
        return Shape(_parts(rows, WORKBOOK_PART_ROWS), None)
    if chosen == "csv.zip":
        return Shape(max(_parts(rows, CSV_PART_ROWS), _parts(csv_bytes, CSV_PART_BYTES)), None)
    return Shape(1, None)


def better_format(
    chosen: str, shape: Shape, rows: int, columns: int | None, size_bytes: int
) -> BetterFormat | None:
    """A format that suits so many rows and bytes better than `chosen`, if there is one."""
    workbook = chosen in {"xlsx", "xlsx.zip"}
    if workbook and columns is not None and columns > MAX_COLUMNS:
        return BetterFormat(
            "csv.gz",
            "too_many_columns",
            f"A sheet holds {MAX_COLUMNS:,} columns; this export has {columns:,}.",
        )
    if workbook and rows > _MANY_PARTS * MAX_DATA_ROWS:
        return BetterFormat(
            "parquet",
            "too_many_rows_for_a_spreadsheet",
            f"About {rows:,} rows are more than a spreadsheet can work with.",
        )
    if chosen == "xlsx" and (shape.sheets or 0) > 1:
        return BetterFormat(
            "csv.zip",
            "several_sheets",
            f"A sheet holds {MAX_DATA_ROWS:,} rows, so about {rows:,} rows need {shape.sheets}"
            " sheets.",
        )
    if chosen == "xlsx" and size_bytes > _WORKBOOK_BYTES:
        return BetterFormat(
            "csv.zip",
            "too_large_to_open",
            f"Excel for the web opens workbooks up to {_WORKBOOK_BYTES >> 20} MiB; this one will"
            f" have about {size_bytes >> 20} MiB.",
        )
    if chosen == "csv" and rows > MAX_DATA_ROWS:
        return BetterFormat(
            "csv.zip",
            "rows_beyond_a_sheet",
            f"A spreadsheet shows the first {MAX_DATA_ROWS:,} rows of a CSV file; csv.zip is cut"
            " into parts.",
        )
    return None


def _parts(total: int, each: int) -> int:
    return max(1, ceil(total / each))
