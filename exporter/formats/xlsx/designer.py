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
from typing import Any, NamedTuple

import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.utility import xl_cell_to_rowcol, xl_col_to_name

from waybill.exporter.datasets.layout import Decorate, Layout
from waybill.exporter.datasets.template import Template
from waybill.exporter.errors import ExportRejected
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.about_sheet import add_about
from waybill.exporter.formats.xlsx.data_sheet import DataSheet, SheetFrame, frame_of
from waybill.exporter.formats.xlsx.sheet_columns import SheetColumn
from waybill.exporter.formats.xlsx.template_head import write_head
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


@dataclass(frozen=True, slots=True)
class Table:
    """What all data sheets of one dataset have in common."""

    columns: Sequence[SheetColumn]
    #: What its first sheet is called, where no column names its sheets.
    title: str = ""
    decorate: Decorate | None = None
    #: The first rows of its sheets.
    template: Template | None = None
    #: The row of its headings, counted from 0.
    header_row: int = 0
    #: What is printed on each page of its sheets.
    watermark: str = ""
    #: The row that says it on the screen, counted from 0; None: no such row.
    watermark_row: int | None = None

    @property
    def first_row(self) -> int:
        """Excel's number of its first data row, on every sheet."""
        return self.header_row + 2


class DesignedSheet(NamedTuple):
    """One data sheet of a design."""

    name: str
    #: Data rows.
    rows: int
    #: The number of its table.
    table: int = 0


class Designer:
    """Makes designs that differ only in their sheets and row counts."""

    def __init__(
        self,
        tables: Sequence[Table],
        layout: Layout,
        tally: Tally,
        *,
        rows_of_one_sheet: int | None = None,
    ) -> None:
        """`layout` is the whole workbook's; its hook runs after those of the tables.

        `tally` is read for the "About this export" sheet each time.
        """
        #: Their widths may change until their first sheet is opened; styles may not.
        self.tables = list(tables)
        self._layout = layout
        self._tally = tally
        #: How many rows the only data sheet will have; None if that, or their number, is open.
        self.rows_of_one_sheet = rows_of_one_sheet
        #: The newest design, and what it was made of.
        self._newest: tuple[tuple[Sequence[DesignedSheet], Sequence[Table]], Design] | None = None

    @property
    def types_are_known(self) -> bool:
        """Whether the content types of every design are those of a draft with one sheet."""
        has_templates = any(table.template for table in self.tables)
        return self.rows_of_one_sheet is not None or not (self._is_decorated or has_templates)

    @property
    def _is_decorated(self) -> bool:
        """Whether hooks have a part in each design."""
        return any((self._layout.decorate, *(table.decorate for table in self.tables)))

    def design(self, sheets: Sequence[DesignedSheet]) -> Design:
        """Design a workbook with these data sheets, those of one table together.

        Raises:
            ExportRejected: `decorate` asked for what XlsxWriter or a streamed sheet cannot do.
        """
        made_of = (tuple(sheets), tuple(self.tables))
        if self._newest is not None and self._newest[0] == made_of:
            return self._newest[1]
        design = self._made(sheets)
        # A hook has to make the same each time, and the sheet about the export states warnings.
        if not (self._is_decorated or self._layout.about):
            self._newest = made_of, design
        return design

    def _made(self, sheets: Sequence[DesignedSheet]) -> Design:
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

    def _fill(self, workbook: Any, sheets: Sequence[DesignedSheet]) -> list[DataSheet]:
        watermarks = dict.fromkeys(one_line(table.watermark) for table in self.tables)
        comments = "; ".join(filter(None, watermarks))
        workbook.set_properties(
            {
                "title": one_line(self._layout.title),
                "author": "Waybill",
                "created": _CREATED,
                **({"comments": comments} if comments else {}),
            }
        )
        cell_formats = _CellFormats(workbook)
        formats = [list(map(cell_formats.of_values, table.columns)) for table in self.tables]
        worksheets: list[DataSheet] = []
        for name, rows, table in sheets:
            sheet = workbook.add_worksheet(name, DataSheet)
            sheet.data_rows = rows
            sheet.rows_are_known = self.rows_of_one_sheet is not None
            sheet.header_row = self.tables[table].header_row
            columns = self.tables[table].columns
            headers = list(map(cell_formats.of_header, columns))
            _write_table(sheet, columns, headers, formats[table])
            if (template := self.tables[table].template) is not None:
                write_head(sheet, template, len(columns), cell_formats.of_look)
            _write_groups(sheet, columns, cell_formats)
            worksheets.append(sheet)
        self._decorate(workbook, sheets, worksheets)
        if workbook.worksheets()[: len(sheets)] != worksheets:
            raise ExportRejected("The decorate hook moved a data sheet; use `activate()` instead.")
        for sheet, (_, _, table) in zip(worksheets, sheets, strict=True):
            # After the hook: it may set a header and write cells, but not replace these.
            _mark(sheet, self.tables[table], cell_formats)
            sheet.write_probes(formats[table])
            _add_filter(sheet, len(formats[table]))
        if self._layout.about:
            rows = sum(sheet.rows for sheet in sheets)
            add_about(
                workbook,
                self._layout.about,
                rows,
                self._tally.warnings,
                self._layout.language,
            )
        return worksheets

    def _decorate(
        self, workbook: Any, sheets: Sequence[DesignedSheet], worksheets: Sequence[DataSheet]
    ) -> None:
        for number, table in enumerate(self.tables):
            if table.decorate is not None:
                own = [
                    worksheet
                    for worksheet, sheet in zip(worksheets, sheets, strict=True)
                    if sheet.table == number
                ]
                table.decorate(workbook, own)
        if self._layout.decorate is not None:
            self._layout.decorate(workbook, worksheets)


def _mark(sheet: DataSheet, table: Table, cell_formats: _CellFormats) -> None:
    """Have the watermark of `table` on each printed page, in Excel's page view, and in its row."""
    text = one_line(table.watermark)
    if not text:
        return
    if table.watermark_row is not None:
        sheet.write_string(table.watermark_row, 0, text, cell_formats.of_watermark())
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

    def of_group(self, group: str) -> Any:
        """The format of a heading above several columns, and of the free cells beside it."""
        line = {"bottom": 1, "bottom_color": "#7B8CA5"} if group else {"bottom": 0}
        return self._make(f"group{bool(group)}", "center", {**_HEADER_FORMAT, **line})

    def of_look(self, look: Mapping[str, Any]) -> Any:
        """The format of a cell of a template; None for one like any other."""
        align = look.get("align", "")
        return self._make(f"look{sorted(look.items())}", align, look) if look else None

    def of_watermark(self) -> Any:
        """The format of the row that names the reader; it runs on over empty cells beside it."""
        return self._make("watermark", "left", {"italic": True, "font_color": "#9A3412"})

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
            more = {"align": align} if align else {}
            self._made[key] = self._workbook.add_format({**properties, **more})
        return self._made[key]


def _write_table(
    sheet: DataSheet,
    columns: Sequence[SheetColumn],
    headers: Sequence[Any],
    formats: Sequence[Sequence[Any]],
) -> None:
    top = sheet.header_row
    sheet.set_row(top, _HEADER_HEIGHT)
    sheet.freeze_panes(top + 1, 0)
    sheet.repeat_rows(top - 1 if _has_groups(columns) else top, top)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    for index, column in enumerate(columns):
        sheet.set_column(index, index, column.width, formats[index][0])
        sheet.write_string(top, index, column.label, headers[index])
    # Identifiers are text on purpose: no green triangles. A number that had to become text has
    # one, so that its absence from a sum is visible.
    texts = [column for column in columns if column.cell_format.is_text]
    if texts:
        ranges = (f"{first}{top + 1}:{last}{sheet.last_row + 1}" for first, last in _runs(texts))
        sheet.ignore_errors({"number_stored_as_text": " ".join(ranges)})


def _has_groups(columns: Sequence[SheetColumn]) -> bool:
    return any(column.group for column in columns)


def _write_groups(
    sheet: DataSheet, columns: Sequence[SheetColumn], cell_formats: _CellFormats
) -> None:
    """Write the row of groups above the headings; every heading stays in its own row."""
    if not _has_groups(columns):
        return
    row, index = sheet.header_row - 1, 0
    sheet.set_row(row, _HEADER_HEIGHT)
    for group, run in groupby(columns, lambda column: column.group):
        last = index + len(list(run)) - 1
        cell_format = cell_formats.of_group(group)
        if not group:
            for column in range(index, last + 1):
                sheet.write_blank(row, column, None, cell_format)
        elif index == last:
            sheet.write_string(row, index, group, cell_format)
        else:
            sheet.merge_range(row, index, row, last, "", cell_format)
            sheet.write_string(row, index, group, cell_format)
        index = last + 1


def _runs(columns: Sequence[SheetColumn]) -> Iterator[tuple[str, str]]:
    """The letters of the first and the last of neighbouring columns."""
    numbers = [xl_cell_to_rowcol(f"{column.letters}1")[1] for column in columns]
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        neighbours = [number for _, number in run]
        yield xl_col_to_name(neighbours[0]), xl_col_to_name(neighbours[-1])


def _add_filter(sheet: DataSheet, columns: int) -> None:
    """Make the header filterable, unless `decorate` made a filter or a table of it."""
    if not sheet.autofilter_ref and not sheet.tables:
        sheet.autofilter(sheet.header_row, 0, sheet.last_row, columns - 1)
