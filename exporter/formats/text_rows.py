"""Text rows: the whole-column rendering steps that CSV and JSON lines share."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

import polars as pl
import pyarrow as pa

from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.blocks.parallel import map_ordered
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.rows.batch_cuts import Cut, regroup
from waybill.exporter.rows.seals import RowOrder
from waybill.exporter.values.cell_columns import CellColumn
from waybill.exporter.warning_rules import WarningRule, Warnings

P = TypeVar("P")

#: Rows rendered at once. With half as many a whole export takes 3 to 7 % longer; twice as many
#: gain nothing. (Measured with one thread of Polars' own, as our processes have it.)
ROWS_AT_ONCE = 32_768
#: Cells rendered at once, where rows have more than 15: their texts take many times the Arrow
#: bytes. At 600 columns a third more take 25 MiB more and no less time. (Measured.)
CELLS_AT_ONCE = 15 * ROWS_AT_ONCE
#: Arrow bytes rendered at once, where rows are wide; a few of these are in memory at a time.
BYTES_AT_ONCE = 16 << 20

#: How many values of a column (by its key) passed a test (by its name).
Counts = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Rendered:
    """Some rows of a file before compression, and what had to be changed in them."""

    #: Counted in `raw`.
    rows: int
    raw: bytes
    warnings: Warnings = field(default_factory=Counter)

    def count_in(self, tally: Tally) -> None:
        """Add these rows to `tally`. Call it just before their bytes are yielded."""
        tally.rows += self.rows
        tally.warnings.update(self.warnings)

    def compress(self) -> Block:
        """These rows as a block."""
        return Block.of(self.raw, self.rows)

    def checksum(self) -> Checksum:
        """Of these rows as they are."""
        return Checksum.of(self.raw)


def each_run(
    render: Callable[[pa.Table], Rendered],
    pack: Callable[[Rendered], P],
    batches: Iterable[pa.RecordBatch],
    columns: int,
    *,
    stop_every: int | None = None,
    before: int = 0,
    in_pieces: Callable[[pa.Table], Iterator[Rendered]] | None = None,
) -> Iterator[tuple[Rendered, P]]:
    """All rows of `batches` rendered and packed, run by run, on all cores and in order.

    A row has `columns` values. No run crosses a multiple of `stop_every` rows, of which `before`
    came earlier. A row that is larger
    than a run is rendered by `in_pieces`, each of which is packed before there is a next one.

    Raises:
        IncompleteExport: rows were lost, repeated, swapped or changed on their way.
    """

    def work(cut: Cut) -> Iterable[tuple[int, Rendered, P]]:
        if in_pieces is not None and cut.exceeds(BYTES_AT_ONCE):
            return pieces(cut, in_pieces)
        rendered = render(cut.open())
        return ((cut.first_row, rendered, pack(rendered)),)

    def pieces(
        cut: Cut, render_pieces: Callable[[pa.Table], Iterator[Rendered]]
    ) -> Iterator[tuple[int, Rendered, P]]:
        first_row = cut.first_row
        for rendered in render_pieces(cut.open()):
            yield first_row, rendered, pack(rendered)
            first_row += rendered.rows

    rows = min(ROWS_AT_ONCE, max(1, CELLS_AT_ONCE // columns))
    cuts = regroup(
        batches, rows=rows, max_bytes=BYTES_AT_ONCE, stop_every=stop_every, before=before
    )
    order = RowOrder()
    for run in map_ordered(work, cuts, is_large=lambda cut: cut.exceeds(BYTES_AT_ONCE)):
        for first_row, rendered, packed in run:
            order.follow(first_row, rendered.rows)
            yield rendered, packed


def blocks_of(
    head: Rendered | None,
    render: Callable[[pa.Table], Rendered],
    batches: Iterable[pa.RecordBatch],
    columns: int,
    tally: Tally,
    in_pieces: Callable[[pa.Table], Iterator[Rendered]] | None = None,
) -> Iterator[Block]:
    """`head` and all rows as blocks, rendered and compressed on all cores; see `each_run`."""
    heads = [(head, head.compress())] if head else []
    runs = each_run(render, Rendered.compress, batches, columns, in_pieces=in_pieces)
    for rendered, block in chain(heads, runs):
        rendered.count_in(tally)
        yield block


def count_matches(frame: pl.DataFrame, tests: Mapping[tuple[str, str], pl.Expr]) -> Counts:
    """How many values pass each of `tests`, in one pass; nulls never do.

    Tests that no value passes are left out, so the result also says which escapes to skip.
    """
    if not tests:
        return Counter()
    sums = frame.select(test.sum().alias(str(n)) for n, test in enumerate(tests.values()))
    return Counter({name: count for name, count in zip(tests, sums.row(0), strict=True) if count})


def changes_among(
    found: Counts, columns: Sequence[CellColumn], rules: Sequence[WarningRule]
) -> Warnings:
    """Translate finding counts from column keys to column names, as far as `rules` report them."""
    return Counter(
        {
            (column.name, rule): found[column.key, rule]
            for column in columns
            for rule in rules
            if found[column.key, rule]
        }
    )


def join_rows(cells: pl.DataFrame, line_end: str, delimiter: str = ",") -> bytes:
    """Lines of `cells`, taken as they are: quoting is the caller's part."""
    lines = io.BytesIO()
    cells.write_csv(
        lines,
        include_header=False,
        quote_style="never",
        separator=delimiter,
        line_terminator=line_end,
    )
    return lines.getvalue()
