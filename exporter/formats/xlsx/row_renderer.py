"""Row renderer: placed rows become blocks of a sheet's XML. The hot path, on several threads.

Each column becomes strings of cells in a few whole-column steps, each row the concatenation
of its cells; of many columns, those of one kind take these steps together (`wide_rows`). Python
sees columns only, never a value, so the interpreter's lock is free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import polars as pl
import pyarrow as pa

from waybill.exporter.blocks.block import Block
from waybill.exporter.formats.xlsx.cell_formats import plain_array
from waybill.exporter.formats.xlsx.cells import Cells, count
from waybill.exporter.formats.xlsx.limits import BLOCK_BYTES
from waybill.exporter.formats.xlsx.placement import Piece, PlacedCut
from waybill.exporter.formats.xlsx.sheet_columns import SheetColumn
from waybill.exporter.formats.xlsx.stacks import stacks_of
from waybill.exporter.formats.xlsx.wide_rows import MIN_COLUMNS, WarnOf, WideCell, wide_cells
from waybill.exporter.rows.marks import count_marks
from waybill.exporter.warning_rules import WarningRule, Warnings

#: Begins every row and nothing else: a "<" in a value is escaped.
_ROW_MARK = b"<r"

#: A constant, or one text a row.
_Fragment = str | pl.Series


@dataclass(frozen=True, slots=True)
class RenderedCut:
    """A placed cut as blocks, one for each piece."""

    first_row: int
    blocks: tuple[tuple[Piece, Block], ...]
    warnings: Warnings


class RowRenderer:
    """Renders batches of one schema. Safe to call from several threads at once."""

    def __init__(
        self,
        columns: Sequence[SheetColumn],
        styles: Sequence[Sequence[int]],
        *,
        wide_from: int = MIN_COLUMNS,
    ) -> None:
        """`styles` are the numbers the workbook gave to the number formats of each column.

        From `wide_from` columns on, those of one kind are rendered together.
        """
        self._columns = [
            WideCell(
                column.cell_format, f'<c r="{column.letters}', [_start_tag(style) for style in each]
            )
            for column, each in zip(columns, styles, strict=True)
        ]
        self._names = [column.name for column in columns]
        self._is_wide = len(columns) >= wide_from
        self._stacks = stacks_of(
            [column.cell_format for column in columns], [column.type for column in columns]
        )

    def __call__(self, placed: PlacedCut) -> RenderedCut:
        """Render and compress.

        Raises:
            IncompleteExport: the rows are not what the source read.
        """
        arrays = placed.open()
        warnings: Warnings = Counter()
        numbers = _row_numbers(placed.pieces)

        def warn(position: int, rule: WarningRule, values: int) -> None:
            warnings[self._names[position], rule] += values

        # A row of long values is no few cells, and columns of them may not fit into one array.
        if self._is_wide and placed.cut.size_bytes <= BLOCK_BYTES:
            cells = wide_cells(self._columns, self._stacks, arrays, numbers, warn)
            blocks = _blocks(cells, placed.pieces, of_a_row=len(arrays) + 2)
        else:
            blocks = _blocks(self._by_column(arrays, numbers, warn), placed.pieces)
        return RenderedCut(placed.cut.first_row, blocks, +warnings)

    def _by_column(self, arrays: Sequence[pa.Array], numbers: pl.Series, warn: WarnOf) -> pl.Series:
        row: list[_Fragment] = ['<row r="', numbers, '">']
        for position, (column, array) in enumerate(zip(self._columns, arrays, strict=True)):

            def warn_here(rule: WarningRule, values: pl.Series, position: int = position) -> None:
                warn(position, rule, count(values))

            for cells in column.cell_format.cells(plain_array(array), warn_here):
                row += _cell(column.reference, numbers, column.starts, cells)
        row.append("</row>")
        return _concat(row)


def _row_numbers(pieces: Sequence[Piece]) -> pl.Series:
    ranges = [
        pl.int_range(piece.first_row, piece.first_row + piece.rows, eager=True) for piece in pieces
    ]
    return pl.concat(ranges).cast(pl.String)


def _start_tag(style: int) -> str:
    """What follows the row number in a cell's reference."""
    return f'" s="{style}"' if style else '"'


def _cell(
    reference: str, numbers: pl.Series, starts: Sequence[str], cells: Cells
) -> list[_Fragment]:
    opening, closing = cells.cell_type.value
    parts: list[_Fragment] = [reference, numbers, *_start(starts, cells.shown_as)]
    parts += [opening, cells.values, closing]
    # A null swallows the parts around it, so that the row has no cell there. A column
    # without nulls needs no strings of its own.
    return [_concat(parts, skip_nulls=False)] if cells.values.null_count() else parts


def _start(starts: Sequence[str], shown_as: int | pl.Series) -> list[_Fragment]:
    if isinstance(shown_as, int):
        return [starts[shown_as]]
    if len(set(starts)) == 1:
        return [starts[0]]
    if shown_as.null_count():
        shown_as = shown_as.fill_null(0)
    return [pl.Series(starts).gather(shown_as)]


def _concat(parts: Sequence[_Fragment], *, skip_nulls: bool = True) -> pl.Series:
    expressions: list[pl.Expr] = []
    for constant, group in groupby(parts, lambda part: isinstance(part, str)):
        if constant:
            expressions.append(pl.lit("".join(group)))  # type: ignore[arg-type]  # all are str
        else:
            expressions.extend(map(pl.lit, group))
    return pl.select(pl.concat_str(expressions, ignore_nulls=skip_nulls)).to_series()


def _blocks(
    texts: pl.Series, pieces: Sequence[Piece], *, of_a_row: int = 1
) -> tuple[tuple[Piece, Block], ...]:
    """Compress the rows of each piece, reading them in place from the column's one buffer.

    A row is `of_a_row` consecutive `texts`.
    """
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    ends = pa.Array.from_buffers(pa.int64(), len(array) + 1, [None, offsets], offset=array.offset)
    xml = memoryview(data)
    blocks, first = [], 0
    for piece in pieces:
        last = first + piece.rows * of_a_row
        part = xml[ends[first].as_py() : ends[last].as_py()]
        blocks.append((piece, Block.of(part, count_marks(part, _ROW_MARK))))
        first = last
    return tuple(blocks)
