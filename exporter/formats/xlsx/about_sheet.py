"""The "About this export" sheet: the source of the rows, and which values were changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from waybill.exporter.datasets.about_texts import about_text
from waybill.exporter.formats.xlsx.text_cells import cut_text, one_line
from waybill.exporter.warning_rules import Warnings


def add_about(
    workbook: Any, lines: Sequence[tuple[str, str]], rows: int, warnings: Warnings, language: str
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
    sheet = workbook.add_worksheet(about_text(language, "sheet"))
    sheet.hide_gridlines(2)
    sheet.fit_to_pages(1, 0)
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 64)
    sheet.set_column(2, 2, 12)
    sheet.write_string(0, 0, about_text(language, "sheet"), title)
    row = 2
    for label, value in lines:
        sheet.write_string(row, 0, one_line(label), bold)
        sheet.write_string(row, 1, cut_text(value), plain)
        row += 1
    sheet.write_string(row, 0, about_text(language, "in_file"), bold)
    sheet.write_number(row, 1, rows, total)
    row += 2
    if not warnings:
        sheet.write_string(row, 0, about_text(language, "unchanged"))
        return
    sheet.write_string(row, 0, about_text(language, "column"), heading)
    sheet.write_string(row, 1, about_text(language, "change"), heading)
    sheet.write_string(row, 2, about_text(language, "values"), count_heading)
    for (name, rule), times in sorted(warnings.items()):
        row += 1
        sheet.write_string(row, 0, one_line(name), plain)
        sheet.write_string(row, 1, rule.phrase_in(language), plain)
        sheet.write_number(row, 2, times, count)
