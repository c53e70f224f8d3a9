"""Wide rows: cells of many columns rendered at once, where each column has few of a block's rows.

Each stack of columns is rendered as one column, and its cells are sorted into rows. The XML is the
same as column by column. (A test compares them.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from waybill.exporter.formats.xlsx.cells import CellFormat, Cells, CellType, Warn
from waybill.exporter.formats.xlsx.stacks import Stack
from waybill.exporter.warning_rules import WarningRule

#: ``warn(column, rule, count)``, with the column's position.
WarnOf = Callable[[int, WarningRule, int], None]

#: From this many columns on, rows are rendered so. At 50 both ways take the same time, at 600
#: this one 0.4 and at 1,500 0.25 of the other. (Measured, CPU seconds.)
MIN_COLUMNS = 64


@dataclass(frozen=True, slots=True)
class WideCell:
    """What the cells of one column are made of, besides values."""

    cell_format: CellFormat
    #: What stands before the row's number, such as ``<c r="AB``.
    reference: str
    #: What follows it, for each of the column's number formats.
    starts: Sequence[str]


def wide_cells(
    columns: Sequence[WideCell],
    stacks: Sequence[Stack],
    arrays: Sequence[pa.Array],
    numbers: pl.Series,
    warn: WarnOf,
) -> pl.Series:
    """The XML of all rows, in ``len(columns) + 2`` strings a row: its tags, and each cell.

    `stacks` are those of the `columns`, whose values are `arrays`. `numbers` are Excel's numbers of
    the rows; null stands for nothing at all.
    """
    rows = len(numbers)
    slots = len(columns) + 2
    begins = pl.select(pl.concat_str(pl.lit('<row r="'), pl.lit(numbers), pl.lit('">'))).to_series()
    parts = [begins, pl.select(pl.repeat("</row>", rows)).to_series()]
    #: Where the strings of each slot begin.
    places = [0] * slots
    places[-1] = rows
    length = 2 * rows
    for stack in stacks:
        members = [columns[position] for position in stack.members]
        parts.append(_cells_of(stack, stack.of(arrays), members, numbers, warn))
        for number, position in enumerate(stack.members):
            places[position + 1] = length + number * rows
        length += rows * len(members)
    index = pl.int_range(rows * slots, dtype=pl.UInt32, eager=True)
    order = pl.Series(places, dtype=pl.UInt32).gather(index % slots) + index // slots
    return pl.concat(parts).gather(order)


def _cells_of(
    stack: Stack, values: pa.Array, columns: Sequence[WideCell], numbers: pl.Series, warn: WarnOf
) -> pl.Series:
    """The XML of the cells of the stack's `values`, null where there is none."""
    rows, width = len(numbers), len(columns)
    index = pl.int_range(rows * width, dtype=pl.UInt32, eager=True)
    column_of = index // rows
    references = pl.Series([column.reference for column in columns]).gather(column_of)
    row_numbers = numbers.gather(index % rows)
    parts = [
        pl.concat_str(
            pl.lit(references),
            pl.lit(row_numbers),
            pl.lit(_starts(cells, columns, column_of)),
            pl.lit(cells.values),
            pl.lit(cells.cell_type.value[1]),
        )
        for cells in stack.cell_format.cells(values, _warn_by_column(stack, warn))
    ]
    if not parts:
        return pl.Series([None], dtype=pl.String).new_from_index(0, rows * width)
    # A row has at most one of them.
    return pl.select(pl.coalesce(parts)).to_series()


def _warn_by_column(stack: Stack, warn: WarnOf) -> Warn:
    def warn_each(rule: WarningRule, values: pl.Series) -> None:
        for position, count in zip(stack.members, _by_column(values, stack).to_list(), strict=True):
            if count:
                warn(position, rule, count)

    return warn_each


def _by_column(values: pl.Series, stack: Stack) -> pl.Series:
    """How many of `values` are true in each column."""
    width = len(stack.members)
    counts = values.cast(pl.UInt32).fill_null(0)
    return counts.reshape((width, len(values) // width)).arr.sum()


def _starts(cells: Cells, columns: Sequence[WideCell], column_of: pl.Series) -> pl.Series:
    """What stands between the number of its row and the value of each cell."""
    openings = [cells.cell_type.value[0]] * len(columns)
    if cells.spaced is not None:
        width = len(columns)
        spaced = cells.spaced().fill_null(False).reshape((width, len(column_of) // width)).arr.any()
        openings = [
            (CellType.SPACED_TEXT if is_spaced else CellType.TEXT).value[0] for is_spaced in spaced
        ]
    shown_as = cells.shown_as
    if isinstance(shown_as, int):
        texts = [
            column.starts[shown_as] + opening
            for column, opening in zip(columns, openings, strict=True)
        ]
        return pl.Series(texts).gather(column_of)
    texts = [
        start + opening
        for column, opening in zip(columns, openings, strict=True)
        for start in column.starts
    ]
    choices = len(columns[0].starts)
    return pl.Series(texts).gather(column_of * choices + shown_as.fill_null(0).cast(pl.UInt32))
