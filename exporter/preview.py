"""The first rows of an export as text, the way its file would show them. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from waybill.exporter.datasets.dataset import Query
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.ports import Source
from waybill.exporter.shown_rows import ShownRows
from waybill.exporter.stop import StopToken
from waybill.exporter.values.cell_columns import cell_columns, cell_texts

#: Characters of one value. More says nothing in a table on a page.
MAX_CHARS = 500


@dataclass(frozen=True, slots=True)
class Preview:
    """Some first rows, and the moment that they show."""

    #: The columns' own names, in their order.
    names: Sequence[str]
    #: Each value as text; None for NULL. What is longer than `MAX_CHARS` ends with ``…``.
    rows: Sequence[Sequence[str | None]]
    snapshot_at: datetime


def read_preview(
    source: Source,
    query: Query,
    layout: Layout,
    *,
    most: int,
    count: bool,
    stop: StopToken,
) -> Preview:
    """At most `most` rows of `query`, in a read-only snapshot of its own.

    `count` lets the source look at all of them first, to find values that their type cannot hold;
    pass it only where `query` itself has no more rows.

    Raises:
        ExportStopped: `stop` was used; it interrupts a statement that is running.
        WaybillError: the database cannot be read, or refuses the query.
    """
    with stop.around_reading(), source.open(query, count=count) as stream:
        stop.interrupt_with(stream.cancel)
        shown = ShownRows(stream, layout)
        tables: list[pa.Table] = []
        left = most
        for batch in shown:
            tables.append(pa.Table.from_batches([batch]).slice(0, left))
            left -= tables[-1].num_rows
            if left <= 0:
                break
        plain = [table.replace_schema_metadata(None) for table in tables]
        table = pa.concat_tables([shown.schema.remove_metadata().empty_table(), *plain])
        columns = cell_columns(shown.schema, layout)
        texts = cell_texts(table, columns, layout.timezone)
        rows = [[_short(value) for value in row] for row in texts.rows()]
        return Preview([column.name for column in columns], rows, stream.snapshot_at)


def _short(value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"
