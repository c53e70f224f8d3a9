"""Data sheet: an XlsxWriter worksheet whose rows are streamed in later."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xlsxwriter.utility import xl_col_to_name, xl_range
from xlsxwriter.worksheet import Worksheet

from waybill.exporter.errors import ExportRejected

_SHEET = re.compile(r"(?P<head>.*<sheetData>)(?P<rows>.*)(?P<rest></sheetData>.*)", re.DOTALL)
#: Readers trust it, so it is there only if the number of rows was known beforehand.
_DIMENSION = re.compile(r"<dimension [^>]*/>")
_ROW = re.compile(r'<row r="(\d+)"[^>]*?(?:/>|>.*?</row>)', re.DOTALL)
_STYLE = re.compile(r'<c r="([A-Z]+)\d+" s="(\d+)"')


class DataSheet(Worksheet):  # type: ignore[misc]  # XlsxWriter has no types
    """XlsxWriter's worksheet in all but its rows, which are only those of a design."""

    #: The row of the headings, zero-based, as XlsxWriter counts.
    header_row: int = 0
    #: Data rows below it. What belongs below the table goes to ``header_row + data_rows + 1``.
    data_rows: int = 0
    #: Whether `data_rows` is final.
    rows_are_known: bool = False
    #: The range of all cells, once `decorate` has written its own.
    _range: str = ""
    #: Zero-based rows of blanks that carry the styles of each column, and are not kept.
    _probe_rows: range = range(0)

    @property
    def last_row(self) -> int:
        """The last data row; that of the headings where there is none."""
        return self.header_row + self.data_rows

    def write_probes(self, formats: Sequence[Sequence[Any]]) -> None:
        """Write rows below all others, whose cells carry the `formats` of each column.

        A format that `decorate` gave to a whole column takes precedence over ours.
        """
        self._range = xl_range(
            0, 0, max(self.dim_rowmax, self.last_row), max(self.dim_colmax, len(formats) - 1)
        )
        first = self.dim_rowmax + 1
        self._probe_rows = range(first, first + max(map(len, formats)))
        for index, ours in enumerate(formats):
            column = self.col_info.get(index)
            theirs = column.column_format if column else None
            for row, cell_format in zip(self._probe_rows, ours, strict=False):
                wanted = theirs if theirs is not None and theirs is not ours[0] else cell_format
                if wanted and self.write_blank(row, index, None, wanted):
                    raise ExportRejected("The decorate hook wrote to the last row of the sheet.")

    def _write_rows(self) -> None:
        # XlsxWriter visits every row up to the last one and makes an entry for each. With a
        # million absent rows above the last one, it has to visit the existing rows only.
        for row in sorted({*self.table, *self.row_info}):
            self.dim_rowmin = self.dim_rowmax = row
            super()._write_rows()

    def _get_range_data(self, *cells: int) -> tuple[()]:
        # Charts get no copy of our rows, as in XlsxWriter's own `constant_memory` mode.
        return ()


@dataclass(frozen=True, slots=True)
class SheetFrame:
    """The XML around the rows of one sheet, and the style numbers of its columns."""

    prologue: bytes
    epilogue: bytes
    #: By the letters of a column, one for each of its number formats; 0 is the default style.
    styles: dict[str, tuple[int, ...]]


def frame_of(sheet: DataSheet, xml: str) -> SheetFrame:
    """Take `xml`, which XlsxWriter made of `sheet`, apart.

    Raises:
        ExportRejected: `decorate` wrote to rows that belong to the data.
    """
    parts = _SHEET.fullmatch(xml)
    assert parts is not None  # noqa: S101 - the header row is always there
    rows = {int(row[1]): row[0] for row in _ROW.finditer(parts["rows"])}
    above = [rows.pop(row) for row in sorted(rows) if row <= sheet.header_row + 1]
    probes = [dict(_STYLE.findall(rows.pop(row + 1, ""))) for row in sheet._probe_rows]
    if rows and min(rows) <= sheet.last_row + 1:
        raise ExportRejected(
            f"The decorate hook wrote to row {min(rows)} of {sheet.name!r}, which holds data."
        )
    dimension = f'<dimension ref="{sheet._range}"/>' if sheet.rows_are_known else ""
    return SheetFrame(
        prologue=(_DIMENSION.sub(dimension, parts["head"]) + "".join(above)).encode(),
        epilogue=("".join(rows.values()) + parts["rest"]).encode(),
        styles={
            letters: tuple(int(probe.get(letters, 0)) for probe in probes)
            for letters in map(xl_col_to_name, range(sheet.dim_colmax + 1))
        },
    )
