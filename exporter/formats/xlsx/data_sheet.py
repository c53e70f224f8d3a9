"""Data sheet: an XlsxWriter worksheet whose rows are streamed in later."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xlsxwriter.worksheet import Worksheet

from waybill.exporter.errors import ExportRejected

_SHEET = re.compile(r"(?P<head>.*<sheetData>)(?P<rows>.*)(?P<rest></sheetData>.*)", re.DOTALL)
#: Left out: readers trust it, and the number of rows is not known when it would be written.
_DIMENSION = re.compile(r"<dimension [^>]*/>")
_ROW = re.compile(r'<row r="(\d+)"[^>]*?(?:/>|>.*?</row>)', re.DOTALL)
_STYLE = re.compile(r'<c r="([A-Z]+)\d+" s="(\d+)"')
_HEADER = 1


class DataSheet(Worksheet):  # type: ignore[misc]  # XlsxWriter has no types
    """XlsxWriter's worksheet in all but its rows, which are only those of a design."""

    #: Data rows below the header. Zero-based, as XlsxWriter counts, they are the rows
    #: 1 to `data_rows`; what belongs below the table goes to ``data_rows + 1``.
    data_rows: int = 0
    #: Zero-based row of blanks that carries the style of each column, and is not kept.
    _probe_row: int = 0

    def write_probe(self, formats: Sequence[Any]) -> None:
        """Write a row below all others whose cells carry `formats`, None for no format.

        A format that `decorate` gave to a whole column takes precedence over ours.
        """
        self._probe_row = self.dim_rowmax + 1
        for index, ours in enumerate(formats):
            column = self.col_info.get(index)
            cell_format = (column and column.column_format) or ours
            if cell_format and self.write_blank(self._probe_row, index, None, cell_format):
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
    #: By the letters of a column; a column without an entry has the default style, 0.
    styles: dict[str, int]


def frame_of(sheet: DataSheet, xml: str) -> SheetFrame:
    """Take `xml`, which XlsxWriter made of `sheet`, apart.

    Raises:
        ExportRejected: `decorate` wrote to rows that belong to the data.
    """
    parts = _SHEET.fullmatch(xml)
    assert parts is not None  # noqa: S101 - the header row is always there
    rows = {int(row[1]): row[0] for row in _ROW.finditer(parts["rows"])}
    header = rows.pop(_HEADER)
    probe = rows.pop(sheet._probe_row + 1, "")
    if rows and min(rows) <= _HEADER + sheet.data_rows:
        raise ExportRejected(
            f"The decorate hook wrote to row {min(rows)} of {sheet.name!r}, which holds data."
        )
    return SheetFrame(
        prologue=(_DIMENSION.sub("", parts["head"]) + header).encode(),
        epilogue=("".join(rows.values()) + parts["rest"]).encode(),
        styles={letters: int(style) for letters, style in _STYLE.findall(probe)},
    )
