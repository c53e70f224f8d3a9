"""The head of a sheet: the rows of its dataset's template, made again with XlsxWriter."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from xlsxwriter.image import Image

from waybill.exporter.datasets.template import Template, TemplateCell, TemplatePicture
from waybill.exporter.formats.xlsx.data_sheet import DataSheet
from waybill.exporter.formats.xlsx.text_cells import cut_text

_DPI = 96

#: Makes the format of a look, once for each workbook.
FormatOf = Callable[[Mapping[str, Any]], Any]


def write_head(sheet: DataSheet, template: Template, columns: int, format_of: FormatOf) -> None:
    """Write `template` into the first rows of `sheet`, whose table has this many columns.

    Widths of columns that the table has are the table's affair.
    """
    for row, height in template.heights.items():
        sheet.set_row(row, height)
    for column, width in template.widths.items():
        if column >= columns:
            sheet.set_column(column, column, width)
    for area in template.merged:
        sheet.merge_range(*area, "")
    for cell in template.cells:
        _write_cell(sheet, cell, format_of(cell.look))
    for picture in template.pictures:
        _insert_picture(sheet, picture)


def _write_cell(sheet: DataSheet, cell: TemplateCell, cell_format: Any) -> None:
    place, value = (cell.row, cell.column), cell.value
    if value is None:
        sheet.write_blank(*place, None, cell_format)
    elif isinstance(value, bool):
        sheet.write_boolean(*place, value, cell_format)
    elif isinstance(value, int | float):
        sheet.write_number(*place, value, cell_format)
    elif isinstance(value, datetime | date | time | timedelta):
        sheet.write_datetime(*place, value, cell_format)
    else:
        # As text: what begins with "=" or looks like an address is none.
        sheet.write_string(*place, cut_text(str(value)), cell_format)


def _insert_picture(sheet: DataSheet, picture: TemplatePicture) -> None:
    natural = Image(io.BytesIO(picture.data))
    sheet.insert_image(
        picture.row,
        picture.column,
        "picture",
        {
            "image_data": io.BytesIO(picture.data),
            "x_offset": picture.x,
            "y_offset": picture.y,
            # XlsxWriter shows a picture in its own size otherwise.
            "x_scale": picture.width / (natural.width * _DPI / natural.x_dpi),
            "y_scale": picture.height / (natural.height * _DPI / natural.y_dpi),
            "description": picture.description,
        },
    )
