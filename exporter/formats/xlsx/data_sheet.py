"""Data sheet: an XlsxWriter worksheet whose rows are streamed in later."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from types import MappingProxyType
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
    #: The format of each cell of a column, in the order of the column's number formats.
    _formats: Sequence[Sequence[Any]] = ()
    #: A blank cell, zero-based, for each format; their rows are not kept.
    _probes: Mapping[Any, tuple[int, int]] = MappingProxyType({})

    @property
    def last_row(self) -> int:
        """The last data row; that of the headings where there is none."""
        return self.header_row + self.data_rows

    def write_probes(self, formats: Sequence[Sequence[Any]]) -> None:
        """Write rows below all others, in which a cell carries each of the columns' `formats`.

        A format that `decorate` gave to a whole column takes precedence over ours.
        """
        width = len(formats)
        self._range = xl_range(
            0, 0, max(self.dim_rowmax, self.last_row), max(self.dim_colmax, width - 1)
        )
        first = self.dim_rowmax + 1
        self._formats = [self._wanted(index, ours) for index, ours in enumerate(formats)]
        # XlsxWriter numbers formats as they are first written: those of a column's values first.
        by_place = chain.from_iterable(zip_longest(*self._formats))
        # Columns share formats, of which there are few; a cell for each of them in each column
        # took a fifth of the time of 600,000 cells in 1,500 columns. (Measured.)
        self._probes = {
            wanted: (first + number // width, number % width)
            for number, wanted in enumerate(filter(None, dict.fromkeys(by_place)))
        }
        for wanted, place in self._probes.items():
            if self.write_blank(*place, None, wanted):
                raise ExportRejected("The decorate hook wrote to the last row of the sheet.")

    def _wanted(self, index: int, ours: Sequence[Any]) -> Sequence[Any]:
        column = self.col_info.get(index)
        theirs = column.column_format if column else None
        return ours if theirs is None or theirs is ours[0] else [theirs] * len(ours)

    def styles_in(self, rows: dict[int, str]) -> dict[str, tuple[int, ...]]:
        """The style numbers of each column's formats, by its letters; takes its probes from `rows`.

        `rows` are the XML of the sheet's rows by Excel's number.
        """
        probe_rows = {row for row, _ in self._probes.values()}
        found = {row: dict(_STYLE.findall(rows.pop(row + 1, ""))) for row in probe_rows}
        numbers = {
            wanted: int(found[row].get(xl_col_to_name(column), 0))
            for wanted, (row, column) in self._probes.items()
        }
        most = max(map(len, self._formats), default=0)
        # Few formats, in many columns.
        kinds = {tuple(wanted_ones) for wanted_ones in self._formats}
        styles = {
            kind: tuple(numbers.get(wanted, 0) for wanted in kind) + (0,) * (most - len(kind))
            for kind in kinds
        }
        return {
            xl_col_to_name(index): styles[tuple(wanted_ones)]
            for index, wanted_ones in enumerate(self._formats)
        }

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
    styles = sheet.styles_in(rows)
    if rows and min(rows) <= sheet.last_row + 1:
        raise ExportRejected(
            f"The decorate hook wrote to row {min(rows)} of {sheet.name!r}, which holds data."
        )
    dimension = f'<dimension ref="{sheet._range}"/>' if sheet.rows_are_known else ""
    return SheetFrame(
        prologue=(_DIMENSION.sub(dimension, parts["head"]) + "".join(above)).encode(),
        epilogue=("".join(rows.values()) + parts["rest"]).encode(),
        styles=styles,
    )
