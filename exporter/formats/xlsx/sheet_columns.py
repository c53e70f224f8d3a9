"""Columns of a sheet: heading, cell format and width of each, fixed before the first row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa
from xlsxwriter.utility import xl_col_to_name

from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.datasets.texts import DEFAULT_LANGUAGE, text_in
from waybill.exporter.formats.xlsx.cell_formats import cell_format_for, plain_array
from waybill.exporter.formats.xlsx.cells import CellFormat, Cells, CellType
from waybill.exporter.formats.xlsx.text_cells import one_line
from waybill.exporter.labels import unique_labels
from waybill.exporter.values.cell_columns import is_instant

#: Bounds of a width that the layout leaves open, in characters; longer text runs into the next
#: cell or is cut there, as in any sheet.
_NARROWEST, _WIDEST = 6.0, 60.0
#: The filter button of the header, and some air around a value.
_BUTTON, _AIR = 3.0, 2.0
#: Bold letters are wider. A guess that fits Calibri.
_BOLD = 1.1
#: Rows that decide a width, and the share of them that must fit: one long text does not make
#: its column wide.
_SAMPLE_ROWS, _SAMPLE_SHARE = 1_000, 0.95


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """One column of every sheet."""

    #: The name under which warnings are counted: the schema's, made unique.
    name: str
    #: The heading, made unique.
    label: str
    #: Excel's name of the column: A to XFD.
    letters: str
    cell_format: CellFormat
    number_formats: tuple[str, ...]
    width: float
    #: The heading above it and its neighbours; empty for none.
    group: str = ""


def plan_columns(schema: pa.Schema, layout: Layout, sample: pa.Table) -> tuple[SheetColumn, ...]:
    """The columns of `schema`; `sample` are the first rows, which decide widths."""
    names = unique_labels(schema.names)
    labels = unique_labels(map(one_line, requested_labels(schema, layout)))
    drawn = layout.template.widths if layout.template else {}
    columns = []
    for index, field in enumerate(schema):
        settings = layout.column(field.name)
        values = sample.column(index).slice(0, _SAMPLE_ROWS).combine_chunks()
        cell_format = cell_format_for(field, settings, layout.timezone)
        columns.append(
            SheetColumn(
                name=names[index],
                label=labels[index],
                letters=xl_col_to_name(index),
                cell_format=cell_format,
                number_formats=_number_formats(settings, cell_format),
                width=settings.width
                or max(_width(labels[index], cell_format, values), drawn.get(index, 0)),
                group=one_line(text_in(settings.group, DEFAULT_LANGUAGE)),
            )
        )
    return tuple(columns)


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


def _width(label: str, cell_format: CellFormat, sample: pa.Array) -> float:
    heading = _BOLD * (len(label) + len(label.encode())) / 2 + _BUTTON
    value = (
        cell_format.width if cell_format.width is not None else _sample_width(cell_format, sample)
    )
    return round(min(max(heading, value + _AIR, _NARROWEST), _WIDEST), 1)


def _sample_width(cell_format: CellFormat, sample: pa.Array) -> float:
    cells = cell_format.cells(plain_array(sample), lambda rule, values: None)
    return max(map(_display_width, cells), default=0)


def _display_width(cells: Cells) -> float:
    """How wide most texts are, and all numbers, which a sheet never cuts.

    A Latin letter counts 1, a Chinese one (3 bytes in UTF-8) 2.
    """
    sizes = (cells.values.str.len_chars() + cells.values.str.len_bytes()) / 2
    share = 1 if cells.cell_type is CellType.NUMBER else _SAMPLE_SHARE
    return sizes.quantile(share) or 0
