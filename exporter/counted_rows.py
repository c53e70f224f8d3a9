"""Rows on their way from a source to an encoder: counted, none too large, and described."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from waybill.exporter.datasets.about_texts import about_text
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.labels import unique_labels
from waybill.exporter.ports import RowStream
from waybill.exporter.rows.row_sizes import check_rows
from waybill.exporter.shown_rows import ShownRows
from waybill.exporter.warning_rules import WarningRule


class CountedRows:
    """The batches of a stream, with the number of rows read so far, none of which is too large.

    What the source made text is counted in the tally beside what the encoder changes. Encoders
    take batches in the thread that also writes the tally.
    """

    def __init__(
        self, stream: RowStream, shown: ShownRows, tally: Tally, max_row_bytes: int | None
    ) -> None:
        self.stream = stream
        self.shown = shown
        self.tally = tally
        self._max_row_bytes = max_row_bytes
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        names = unique_labels(self.shown.schema.names)
        for batch in self.shown:
            if self._max_row_bytes is not None:
                check_rows(batch, self._max_row_bytes)
            self.rows += batch.num_rows
            for position, values in self.shown.read_as_text.items():
                self.tally.warnings[names[position], WarningRule.TYPE_AS_TEXT] = values
            yield batch
            # Given back before the next is read: a single row may be as large as all else.
            del batch


def describe(layout: Layout, snapshot_at: datetime, rows_expected: int | None) -> Layout:
    """Add what only the snapshot knows: when it was taken, and lines for the About sheet."""
    layout = replace(layout, snapshot_at=snapshot_at, rows_expected=rows_expected)
    if not layout.about:
        return layout
    as_of = about_text(layout.language, "as_of")
    facts = [(as_of, snapshot_at.isoformat(timespec="seconds"))]
    if rows_expected is not None:
        facts.append((about_text(layout.language, "in_database"), f"{rows_expected:,}"))
    return replace(layout, about=(*layout.about, *facts))
