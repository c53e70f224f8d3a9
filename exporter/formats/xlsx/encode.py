"""The ``xlsx`` format: XlsxWriter designs the workbook, the stream fills its sheets.

Memory holds a few blocks and a few designs without rows; it does not grow with the export.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain

import pyarrow as pa

from waybill.exporter.blocks.parallel import map_ordered
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.data_sheet import SheetFrame
from waybill.exporter.formats.xlsx.designer import DesignedSheet, Designer, Table
from waybill.exporter.formats.xlsx.limits import (
    BLOCK_BYTES,
    BLOCK_CELLS,
    BLOCK_ROWS,
    MAX_DATA_ROWS,
    MAX_SHEET_BYTES,
    check_columns,
)
from waybill.exporter.formats.xlsx.package import Package
from waybill.exporter.formats.xlsx.placement import SETTLE_LAG, Placement
from waybill.exporter.formats.xlsx.places import PlaceKeeper, WorkbookPlace
from waybill.exporter.formats.xlsx.row_renderer import RowRenderer
from waybill.exporter.formats.xlsx.sheet_columns import (
    has_watermark_row,
    header_row_of,
    plan_columns,
    requested_labels,
    with_widths,
)
from waybill.exporter.formats.xlsx.sheet_names import SheetNames, acceptable
from waybill.exporter.labels import count_renamed
from waybill.exporter.rows.batch_cuts import Cut, regroup
from waybill.exporter.rows.seals import RowOrder

#: More threads than this would outrun the one that reads, and the lag of `Placement`.
MAX_THREADS = SETTLE_LAG // 2
#: The XML around one value.
_CELL_BYTES = 40


def encode_xlsx(
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    layout: Layout,
    tally: Tally,
    place: WorkbookPlace | None = None,
) -> Generator[bytes, None, None]:
    """Yield a workbook; see `waybill.exporter.formats.encoding.Encode`.

    With `place`, it begins where that says, and yields nothing (an empty text) whenever the place
    where it is has been written down there.

    The same rows give the same bytes. `layout.decorate` is called for several designs and
    has to make the same of each. With `layout.sheet_by`, rows should be ordered by that
    column: others wait in memory, compressed, and 64 MiB of them are the limit.

    Raises:
        LimitExceeded: no workbook can hold these columns, sheets or bytes.
        ExportRejected: `decorate` cannot be applied to streamed sheets.
        IncompleteExport: rows were lost, repeated, swapped or changed on their way.
    """
    check_columns(schema)
    cuts = cut_blocks(schema, batches)
    begin = place.begin if place is not None else None
    first = next(cuts, None) if begin is None else None
    sample = first.open() if first is not None else schema.empty_table()
    table = table_of(schema, layout, sample)
    rows = rows_of_one_sheet(layout, sample)
    if begin is not None:
        table = replace(table, columns=with_widths(table.columns, begin["widths"]))
        rows = begin["rows_of_one_sheet"]
    designer = Designer([table], replace(layout, decorate=None), tally, rows_of_one_sheet=rows)
    draft = designer.design([DesignedSheet(acceptable(layout.title), rows or 0)])
    package = Package(designer, draft, tally)
    names = SheetNames(draft.other_sheets)
    placement = Placement(schema, layout, names, first_row=table.first_row)

    keeper = None
    if place is not None and _can_go_on(layout):
        keeper = PlaceKeeper(place, package, [column.width for column in table.columns], rows)
    if begin is not None and keeper is not None:
        keeper.go_on(begin, placement)
    else:
        yield from package.begin()
        count_headings(schema, layout, table, tally)
    cuts = cuts if first is None else chain([first], cuts)
    yield from fill(package, placement, table, draft.frames[0], cuts, tally, keeper)
    yield from package.finish()


def _can_go_on(layout: Layout) -> bool:
    """Whether the workbook depends on no more than its rows."""
    return not (layout.about or layout.decorate or layout.sheet_by)


def table_of(schema: pa.Schema, layout: Layout, sample: pa.Table) -> Table:
    """What the sheets of rows with this schema have in common; `sample` decides widths."""
    columns = plan_columns(schema, layout, sample)
    header_row = header_row_of(schema.names, layout)
    return Table(
        columns,
        layout.title,
        layout.decorate,
        header_row=header_row,
        watermark=layout.watermark_text,
        template=layout.template,
        watermark_row=layout.rows_above if has_watermark_row(layout) else None,
    )


def count_headings(schema: pa.Schema, layout: Layout, table: Table, tally: Tally) -> None:
    """Count the headings that had to change."""
    labels = [column.label for column in table.columns]
    tally.warnings.update(count_renamed(requested_labels(schema, layout), labels))


def fill(
    package: Package,
    placement: Placement,
    table: Table,
    frame: SheetFrame,
    cuts: Iterable[Cut],
    tally: Tally,
    keeper: PlaceKeeper | None = None,
) -> Iterator[bytes]:
    """Write the sheets of one table; `frame` is that of its sheet in the draft."""
    render = RowRenderer(table.columns, [frame.styles[column.letters] for column in table.columns])
    threads = min(os.cpu_count() or 1, MAX_THREADS)
    order = RowOrder()
    blocks = map_ordered(
        render,
        placement.place(cuts),
        threads=threads,
        is_large=lambda one: one.cut.exceeds(BLOCK_BYTES),
    )
    with closing(blocks) as rendered:
        for cut in rendered:
            order.follow(cut.first_row, sum(block.rows for _, block in cut.blocks))
            tally.warnings.update(cut.warnings)
            sizes = [block.raw.size_bytes for _, block in cut.blocks]
            placement.record(sizes)
            for piece, block in cut.blocks:
                yield from package.add(piece, block)
            if keeper is not None:
                keeper.note(sizes)
                yield b""
    placement.ensure_sheet()
    yield from package.end_table(placement.sheets)


def rows_of_one_sheet(layout: Layout, sample: pa.Table) -> int | None:
    """How many rows the only sheet will have; None if there may be more sheets, or none can say.

    `sample` are the first rows. An eighth of what they let us expect is far from a full sheet.
    """
    rows = layout.rows_expected
    most = MAX_DATA_ROWS - header_row_of(sample.schema.names, layout)
    if rows is None or rows > most or layout.sheet_by is not None:
        return None
    cells = rows * sample.num_columns * _CELL_BYTES
    values = rows * sample.nbytes // max(sample.num_rows, 1)
    return rows if 8 * (cells + values) < MAX_SHEET_BYTES or not rows else None


def cut_blocks(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[Cut]:
    """Cuts of a size that is rendered at once, never empty."""
    rows = min(BLOCK_ROWS, max(1, BLOCK_CELLS // len(schema.names)))
    return regroup(batches, rows=rows, max_bytes=BLOCK_BYTES)
