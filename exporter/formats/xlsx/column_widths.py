"""Column widths: what shows the heading and most of the first values of each column."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from waybill.exporter.formats.xlsx.cells import CellFormat, Cells, CellType
from waybill.exporter.formats.xlsx.limits import BLOCK_BYTES
from waybill.exporter.formats.xlsx.stacks import Stack, stacks_of

#: Bounds of a width, in characters; longer text runs into the next cell or is cut there, as in
#: any sheet.
_NARROWEST, _WIDEST = 6.0, 60.0
#: The filter button of the header, and some air around a value.
_BUTTON, _AIR = 3.0, 2.0
#: Bold letters are wider. A guess that fits Calibri.
_BOLD = 1.1
#: Rows that decide a width, and the share of them that must fit: one long text does not make
#: its column wide.
_SAMPLE_ROWS, _SAMPLE_SHARE = 1_000, 0.95


def column_widths(
    labels: Sequence[str], formats: Sequence[CellFormat], sample: pa.Table
) -> list[float]:
    """The width of each column in characters; `sample` are the first rows."""
    values = _value_widths(formats, sample.slice(0, _SAMPLE_ROWS))
    return [
        round(min(max(_heading_width(label), value + _AIR, _NARROWEST), _WIDEST), 1)
        for label, value in zip(labels, values, strict=True)
    ]


def _heading_width(label: str) -> float:
    return _BOLD * (len(label) + len(label.encode())) / 2 + _BUTTON


def _value_widths(formats: Sequence[CellFormat], sample: pa.Table) -> list[float]:
    widths = [cell_format.width or 0.0 for cell_format in formats]
    undecided = [position for position, one in enumerate(formats) if one.width is None]
    if not (undecided and sample.num_rows):
        return widths
    [batch] = sample.select(undecided).combine_chunks().to_batches()
    arrays = batch.columns
    # Few rows of long values are no reason to hold all of them twice.
    alone = sample.nbytes > BLOCK_BYTES
    for stack in stacks_of([formats[at] for at in undecided], batch.schema.types, alone=alone):
        found = _widths_in(stack, arrays, sample.num_rows)
        for member, width in zip(stack.members, found, strict=True):
            widths[undecided[member]] = width
    return widths


def _widths_in(stack: Stack, arrays: Sequence[pa.Array], rows: int) -> list[float]:
    """How wide the values of each of the stack's columns are."""
    widths = [0.0] * len(stack.members)
    for cells in stack.cell_format.cells(stack.of(arrays), lambda rule, values: None):
        widths = list(map(max, widths, _display_widths(cells, rows)))
    return widths


def _display_widths(cells: Cells, rows: int) -> list[float]:
    """How wide most texts of each column are, and all numbers, which a sheet never cuts.

    A Latin letter counts 1, a Chinese one (3 bytes in UTF-8) 2.
    """
    share = 1 if cells.cell_type is CellType.NUMBER else _SAMPLE_SHARE
    text = pl.lit(cells.values).str
    width = ((text.len_chars() + text.len_bytes()) / 2).alias("width")
    column = (pl.int_range(len(cells.values), dtype=pl.UInt32) // rows).alias("column")
    by_column = pl.select(column, width).group_by("column", maintain_order=True)
    return by_column.agg(pl.col("width").quantile(share).fill_null(0))["width"].to_list()
