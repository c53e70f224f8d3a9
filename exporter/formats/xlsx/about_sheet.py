"""The "About this export" sheet: the source of the rows, and which values were changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from waybill.exporter.formats.xlsx.text_cells import cut_text, one_line
from waybill.exporter.warning_rules import Warnings

_NAME = "About this export"


def add_about(
    workbook: Any, lines: Sequence[tuple[str, str]], rows: int, warnings: Warnings
) -> None:
    """Add the sheet: `lines` of (label, value), the row count, and what had to be changed."""
    bold = workbook.add_format({"bold": True, "valign": "top"})
    plain = workbook.add_format({"text_wrap": True, "valign": "top"})
    total = workbook.add_format({"num_format": "#,##0", "align": "left"})
    count = workbook.add_format({"num_format": "#,##0", "valign": "top"})
    title = workbook.add_format({"bold": True, "font_size": 16})
    heading_format = {"bold": True, "bg_color": "#E5EAF1", "bottom": 1}
    heading = workbook.add_format(heading_format)
    count_heading = workbook.add_format({**heading_format, "align": "right"})
    sheet = workbook.add_worksheet(_NAME)
    sheet.hide_gridlines(2)
    sheet.fit_to_pages(1, 0)
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 64)
    sheet.set_column(2, 2, 12)
    sheet.write_string(0, 0, _NAME, title)
    row = 2
    for label, value in lines:
        sheet.write_string(row, 0, one_line(label), bold)
        sheet.write_string(row, 1, cut_text(value), plain)
        row += 1
    sheet.write_string(row, 0, "Rows in this file", bold)
    sheet.write_number(row, 1, rows, total)
    row += 2
    if not warnings:
        sheet.write_string(row, 0, "Every value is in this file exactly as it was read.")
        return
    sheet.write_string(row, 0, "Column", heading)
    sheet.write_string(row, 1, "What was changed", heading)
    sheet.write_string(row, 2, "Values", count_heading)
    for (name, rule), times in sorted(warnings.items()):
        row += 1
        sheet.write_string(row, 0, one_line(name), plain)
        sheet.write_string(row, 1, rule.phrase, plain)
        sheet.write_number(row, 2, times, count)
