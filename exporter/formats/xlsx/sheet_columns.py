"""Columns of a sheet: heading, cell format and width of each, fixed before the first row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa
from xlsxwriter.utility import xl_col_to_name

from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.datasets.texts import DEFAULT_LANGUAGE, text_in
from waybill.exporter.formats.xlsx.cell_formats import cell_format_for
from waybill.exporter.formats.xlsx.cells import CellFormat
from waybill.exporter.formats.xlsx.column_widths import column_widths
from waybill.exporter.formats.xlsx.text_cells import one_line
from waybill.exporter.labels import unique_labels
from waybill.exporter.values.cell_columns import is_instant


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """One column of every sheet."""

    #: The name under which warnings are counted: the schema's, made unique.
    name: str
    #: The heading, made unique.
    label: str
    #: Excel's name of the column: A to XFD.
    letters: str
    #: That of its arrays.
    type: pa.DataType
    cell_format: CellFormat
    number_formats: tuple[str, ...]
    width: float
    #: The heading above it and its neighbours; empty for none.
    group: str = ""


def plan_columns(schema: pa.Schema, layout: Layout, sample: pa.Table) -> tuple[SheetColumn, ...]:
    """The columns of `schema`; `sample` are the first rows, which decide widths."""
    names = unique_labels(schema.names)
    labels = unique_labels(map(one_line, requested_labels(schema, layout)))
    settings = [layout.column(name) for name in schema.names]
    formats = [
        cell_format_for(field, own, layout.timezone)
        for field, own in zip(schema, settings, strict=True)
    ]
    widths = column_widths(labels, formats, sample)
    drawn = layout.template.widths if layout.template else {}
    return tuple(
        SheetColumn(
            name=names[index],
            label=labels[index],
            letters=xl_col_to_name(index),
            type=field.type,
            cell_format=formats[index],
            number_formats=_number_formats(settings[index], formats[index]),
            width=settings[index].width or max(widths[index], drawn.get(index, 0)),
            group=one_line(text_in(settings[index].group, DEFAULT_LANGUAGE)),
        )
        for index, field in enumerate(schema)
    )


def with_widths(columns: Iterable[SheetColumn], widths: Iterable[float]) -> tuple[SheetColumn, ...]:
    """`columns` with the widths that the first rows decided when there were such rows."""
    return tuple(
        replace(column, width=width) for column, width in zip(columns, widths, strict=True)
    )


def header_row_of(names: Iterable[str], layout: Layout) -> int:
    """The row of the headings, counted from 0.

    Above it are the free rows, then that of the watermark, then that of groups of columns.
    """
    has_groups = any(layout.column(name).group for name in names)
    return layout.rows_above + has_watermark_row(layout) + has_groups


def has_watermark_row(layout: Layout) -> bool:
    """Whether a row below `layout.rows_above` says for whom the file is."""
    return layout.watermark_row and layout.watermark is not None


def _number_formats(settings: Column, cell_format: CellFormat) -> tuple[str, ...]:
    ours = cell_format.number_formats
    return (settings.number_format,) * len(ours) if settings.number_format else ours


def requested_labels(schema: pa.Schema, layout: Layout) -> list[str]:
    """Headings as the layout requests them; a column converted to a zone names that zone."""
    return [
        layout.zoned_label(field.name)
        if is_instant(field) and not layout.column(field.name).as_text
        else layout.label(field.name)
        for field in schema
    ]
