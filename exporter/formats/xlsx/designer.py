"""Designer: has XlsxWriter make the workbook around the rows, on sheets without rows.

XlsxWriter writes a small workbook: headings, widths, number formats, filters, and everything
a dataset's `decorate` hook adds, with every feature it has. From its XML we take what comes
before the rows of each sheet, what comes after them, and all other parts of the package.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.utility import xl_cell_to_rowcol, xl_col_to_name

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import ExportRejected
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.about_sheet import add_about
from waybill.exporter.formats.xlsx.data_sheet import DataSheet, SheetFrame, frame_of
from waybill.exporter.formats.xlsx.sheet_columns import SheetColumn
from waybill.exporter.formats.xlsx.text_cells import one_line

#: The same rows must give the same bytes, so a file cannot say when it was made.
_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - XlsxWriter takes it for UTC

_CONTENT_TYPES = "[Content_Types].xml"
_SHEET_TYPE = re.compile(r'<Override PartName="/xl/worksheets/sheet[0-9]+\.xml" [^>]*/>')
_XML_DEFAULT = '<Default Extension="xml" ContentType="application/xml"/>'
_SHEET_DEFAULT = _XML_DEFAULT.replace(
    "application/xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
)

_HEADER_HEIGHT = 21
#: Characters of a watermark that are printed, all of which may be doubled.
_MOST_PRINTED = 120
_HEADER_FORMAT: Mapping[str, Any] = {
    "bold": True,
    "font_color": "#1F2937",
    "bg_color": "#E5EAF1",
    "bottom": 2,
    "bottom_color": "#7B8CA5",
    "valign": "vcenter",
}


@dataclass(frozen=True, slots=True)
class Design:
    """One finished design: everything of the package but the rows."""

    #: In the order of the data sheets.
    frames: tuple[SheetFrame, ...]
    #: All other parts of the package by name, in XlsxWriter's order.
    parts: Mapping[str, bytes]
    #: Names of the sheets that hold no rows of ours.
    other_sheets: tuple[str, ...]


class Designer:
    """Makes designs that differ only in their sheets and row counts."""

    def __init__(
        self,
        columns: Sequence[SheetColumn],
        layout: Layout,
        tally: Tally,
        *,
        rows_of_one_sheet: int | None = None,
    ) -> None:
        """`tally` is read for the "About this export" sheet each time."""
        self._columns = columns
        self._layout = layout
        self._tally = tally
        #: How many rows the only data sheet will have; None if that, or their number, is open.
        self.rows_of_one_sheet = rows_of_one_sheet

    @property
    def types_are_known(self) -> bool:
        """Whether the content types of every design are those of a draft with one sheet."""
        return self._layout.decorate is None or self.rows_of_one_sheet is not None

    def design(self, sheets: Sequence[tuple[str, int]]) -> Design:
        """Design a workbook with these data sheets: (name, data rows).

        Raises:
            ExportRejected: `decorate` asked for what XlsxWriter or a streamed sheet cannot do.
        """
        file = io.BytesIO()
        workbook = xlsxwriter.Workbook(file, {"in_memory": True})
        try:
            worksheets = self._fill(workbook, sheets)
            workbook.close()
        except XlsxWriterException as error:
            raise ExportRejected(f"The workbook could not be designed: {error}") from error
        others = tuple(sheet.name for sheet in workbook.worksheets()[len(sheets) :])
        with zipfile.ZipFile(file) as package:
            parts = {name: package.read(name) for name in package.namelist()}
        parts[_CONTENT_TYPES] = with_sheets_by_default(parts[_CONTENT_TYPES].decode()).encode()
        frames = tuple(
            frame_of(sheet, parts.pop(part_name(number)).decode())
            for number, sheet in enumerate(worksheets, 1)
        )
        return Design(frames, parts, others)

    def _fill(self, workbook: Any, sheets: Sequence[tuple[str, int]]) -> list[DataSheet]:
        watermark = one_line(self._layout.watermark_text)
        workbook.set_properties(
            {
                "title": one_line(self._layout.title),
                "author": "Waybill",
                "created": _CREATED,
                **({"comments": watermark} if watermark else {}),
            }
        )
        cell_formats = _CellFormats(workbook)
        headers = [cell_formats.of_header(column) for column in self._columns]
        formats = [cell_formats.of_values(column) for column in self._columns]
        worksheets: list[DataSheet] = []
        for name, rows in sheets:
            sheet = workbook.add_worksheet(name, DataSheet)
            sheet.data_rows = rows
            sheet.rows_are_known = self.rows_of_one_sheet is not None
            _write_table(sheet, self._columns, headers, formats)
            worksheets.append(sheet)
        if self._layout.decorate is not None:
            self._layout.decorate(workbook, worksheets)
        if workbook.worksheets()[: len(sheets)] != worksheets:
            raise ExportRejected("The decorate hook moved a data sheet; use `activate()` instead.")
        for sheet in worksheets:
            if watermark:
                # After the hook: it may set a header, but not replace this one.
                _print_on_each_page(sheet, watermark)
            sheet.write_probes(formats)
            _add_filter(sheet, len(self._columns))
        if self._layout.about:
            rows = sum(rows for _, rows in sheets)
            add_about(workbook, self._layout.about, rows, self._tally.warnings)
        return worksheets


def _print_on_each_page(sheet: DataSheet, text: str) -> None:
    """Have `text` above and below the rows of each printed page, and in Excel's page view."""
    # An ampersand begins a command there, and all three parts together have 255 characters.
    line = "&C" + text[:_MOST_PRINTED].replace("&", "&&")
    sheet.set_header(line)
    sheet.set_footer(line)


def with_sheets_by_default(content_types: str) -> str:
    """Content types whose default for XML is a sheet, so that they name no sheet (ECMA-376 part 2).

    All other parts are named anyway, by XlsxWriter as by Excel.
    """
    without = _SHEET_TYPE.sub("", content_types)
    return without.replace(_XML_DEFAULT, _SHEET_DEFAULT)


def part_name(number: int) -> str:
    """The package part of the data sheet with this number, counted from 1."""
    return f"xl/worksheets/sheet{number}.xml"


class _CellFormats:
    """The formats of one workbook, each made once."""

    def __init__(self, workbook: Any) -> None:
        self._workbook = workbook
        self._made: dict[tuple[str, str], Any] = {}

    def of_header(self, column: SheetColumn) -> Any:
        """The format of a column's heading."""
        return self._make("header", column.cell_format.align, _HEADER_FORMAT)

    def of_values(self, column: SheetColumn) -> list[Any]:
        """The formats of a column's cells, in the order of its number formats; None for none."""
        # Numbers too wide for their column are shown smaller: Excel would show "####" instead.
        shrink = {} if column.cell_format.is_text else {"shrink": True}
        return [
            self._make(
                f"{number_format}{shrink}",
                column.cell_format.align,
                {"num_format": number_format, **shrink},
            )
            if number_format
            else None
            for number_format in column.number_formats
        ]

    def _make(self, name: str, align: str, properties: Mapping[str, Any]) -> Any:
        key = (name, align)
        if key not in self._made:
            self._made[key] = self._workbook.add_format({**properties, "align": align})
        return self._made[key]


def _write_table(
    sheet: DataSheet,
    columns: Sequence[SheetColumn],
    headers: Sequence[Any],
    formats: Sequence[Sequence[Any]],
) -> None:
    sheet.set_row(0, _HEADER_HEIGHT)
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    for index, column in enumerate(columns):
        sheet.set_column(index, index, column.width, formats[index][0])
        sheet.write_string(0, index, column.label, headers[index])
    # Identifiers are text on purpose: no green triangles. A number that had to become text has
    # one, so that its absence from a sum is visible.
    texts = [column for column in columns if column.cell_format.is_text]
    if texts:
        ranges = (f"{first}1:{last}{sheet.data_rows + 1}" for first, last in _runs(texts))
        sheet.ignore_errors({"number_stored_as_text": " ".join(ranges)})


def _runs(columns: Sequence[SheetColumn]) -> Iterator[tuple[str, str]]:
    """The letters of the first and the last of neighbouring columns."""
    numbers = [xl_cell_to_rowcol(f"{column.letters}1")[1] for column in columns]
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        neighbours = [number for _, number in run]
        yield xl_col_to_name(neighbours[0]), xl_col_to_name(neighbours[-1])


def _add_filter(sheet: DataSheet, columns: int) -> None:
    """Make the header filterable, unless `decorate` made a filter or a table of it."""
    if not sheet.autofilter_ref and not sheet.tables:
        sheet.autofilter(0, 0, sheet.data_rows, columns - 1)
