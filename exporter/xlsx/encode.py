"""XLSX: XlsxWriter designs the workbook, the stream fills its sheets.

Memory holds a few blocks and a few designs without rows, whatever the number of rows.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain

import pyarrow as pa

from exporter.batch_cuts import regroup
from exporter.encoding import Tally
from exporter.labels import count_renamed
from exporter.layout import Layout
from exporter.parallel import map_ordered
from exporter.xlsx.columns import asked_labels, plan_columns
from exporter.xlsx.limits import BLOCK_BYTES, BLOCK_CELLS, BLOCK_ROWS, check_columns
from exporter.xlsx.package import Package
from exporter.xlsx.rows import RowRenderer
from exporter.xlsx.sheetnames import SheetNames, acceptable
from exporter.xlsx.sheets import SETTLE_LAG, Placement
from exporter.xlsx.skeleton import Designer

#: More threads than this would outrun the one that reads, and the lag of `Placement`.
_MAX_THREADS = SETTLE_LAG // 2


def encode_xlsx(
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    layout: Layout,
    tally: Tally,
) -> Generator[bytes, None, None]:
    """Yield a workbook; see `exporter.encoding.Encode`.

    The same rows give the same bytes. `layout.decorate` is called for several designs and
    has to make the same of each. With `layout.sheet_by`, rows should be ordered by that
    column: others wait in memory, compressed, and 64 MiB of them are the limit.

    Raises:
        LimitExceeded: no workbook can hold these columns, sheets or bytes.
        ExportRejected: `decorate` cannot be applied to streamed sheets.
    """
    check_columns(schema)
    blocks = cut_blocks(schema, batches)
    first = next(blocks, None)
    sample = first if first is not None else pa.RecordBatch.from_pylist([], schema)
    columns = plan_columns(schema, layout, sample)
    labels = [column.label for column in columns]
    tally.warnings.update(count_renamed(asked_labels(schema, layout), labels))

    designer = Designer(columns, layout, tally)
    draft = designer.design([(acceptable(layout.title), 0)])
    styles = draft.frames[0].styles
    render = RowRenderer(columns, [styles.get(column.letters, 0) for column in columns])
    placement = Placement(schema, layout, SheetNames(draft.other_sheets))
    package = Package(designer, draft, tally)

    yield from package.begin()
    placed = placement.place(blocks if first is None else chain([first], blocks))
    threads = min(os.cpu_count() or 1, _MAX_THREADS)
    with closing(map_ordered(render, placed, threads=threads)) as rendered:
        for batch in rendered:
            tally.warnings.update(batch.warnings)
            placement.record([block.raw_length for block in batch.blocks])
            for piece, block in zip(batch.pieces, batch.blocks, strict=True):
                yield from package.add(piece, block)
    placement.ensure_sheet()
    yield from package.finish(placement.sheets)


def cut_blocks(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of a size that is rendered at once, never empty."""
    rows = min(BLOCK_ROWS, max(1, BLOCK_CELLS // len(schema.names)))
    for table in regroup(batches, rows=rows, max_bytes=BLOCK_BYTES):
        yield from _halve(table)


def _halve(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """`table` as one batch, or as smaller ones while its values take too many bytes."""
    if table.nbytes > BLOCK_BYTES and table.num_rows > 1:
        middle = table.num_rows // 2
        yield from _halve(table.slice(0, middle))
        yield from _halve(table.slice(middle))
    else:
        yield from table.combine_chunks().to_batches()
