"""Workbooks of several tables: each on sheets of its own, streamed one after the other."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.designer import DesignedSheet, Designer
from waybill.exporter.formats.xlsx.encode import count_headings, cut_blocks, fill, table_of
from waybill.exporter.formats.xlsx.limits import check_columns
from waybill.exporter.formats.xlsx.package import Package
from waybill.exporter.formats.xlsx.placement import Placement
from waybill.exporter.formats.xlsx.sheet_names import SheetNames


@dataclass(frozen=True, slots=True)
class TableRows:
    """The rows of one dataset, on their way into a workbook."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    layout: Layout
    #: What was written of them.
    tally: Tally = field(default_factory=Tally)


def encode_tables(
    tables: Sequence[TableRows],
    layout: Layout,
    tally: Tally,
    *,
    sheet_rows: int | None = None,
) -> Generator[bytes, None, None]:
    """Yield a workbook with the sheets of `tables` in their order; `layout` is that of all.

    A sheet takes as many rows as Excel does, or `sheet_rows`. Rows of a table are not asked for
    before the last row of the one before. `tally` is of the whole file; warnings in it name the
    table beside the column.

    Raises:
        LimitExceeded, ExportRejected, IncompleteExport: as `encode_xlsx`.
    """
    for rows in tables:
        check_columns(rows.schema)
    designer = Designer(
        [table_of(rows.schema, rows.layout, rows.schema.empty_table()) for rows in tables],
        layout,
        tally,
    )
    titles = SheetNames()
    draft = designer.design(
        [
            DesignedSheet(titles.claim(rows.layout.title), 0, number)
            for number, rows in enumerate(tables)
        ]
    )
    names, package = SheetNames(draft.other_sheets), Package(designer, draft, tally)
    yield from package.begin()
    sheets = 0
    for number, rows in enumerate(tables):
        cuts = cut_blocks(rows.schema, rows.batches)
        first = next(cuts, None)
        if first is not None:
            designer.tables[number] = table_of(rows.schema, rows.layout, first.open())
            cuts = chain([first], cuts)
        table = designer.tables[number]
        count_headings(rows.schema, rows.layout, table, rows.tally)
        placement = Placement(
            rows.schema,
            rows.layout,
            names,
            table=number,
            others=sheets,
            first_row=table.first_row,
            max_rows=sheet_rows,
        )
        before = tally.rows
        yield from fill(package, placement, table, draft.frames[number], cuts, rows.tally)
        rows.tally.rows = tally.rows - before
        sheets += len(placement.sheets)
        for (column, rule), times in rows.tally.warnings.items():
            tally.warnings[f"{rows.layout.title}: {column}", rule] += times
    yield from package.finish()
