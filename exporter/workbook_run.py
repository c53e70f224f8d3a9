"""The export of several queries into one workbook, out of one snapshot, each proven complete."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from waybill.exporter.counted_rows import CountedRows, describe
from waybill.exporter.datasets.about_texts import about_text
from waybill.exporter.datasets.dataset import Query
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import ExportRejected
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.ports import RowStream, SnapshotSource, Source
from waybill.exporter.run import (
    ExportProgress,
    ExportResult,
    OpenSink,
    check_rows_agree,
    finish_file,
    write_chunks,
)
from waybill.exporter.shown_rows import ShownRows
from waybill.exporter.stop import StopToken

#: Makes another file of the workbook that is yielded, such as an encrypted one.
Wrap = Callable[[Generator[bytes, None, None], Tally], Generator[bytes, None, None]]


@dataclass(frozen=True, slots=True)
class SheetQuery:
    """One dataset of a workbook: what to read, and how its sheets look."""

    query: Query
    layout: Layout


class _Together:
    """What is known of all streams before the first row; a `RowsAhead`."""

    def __init__(self, streams: Sequence[RowStream]) -> None:
        self._streams = streams

    @property
    def schema(self) -> pa.Schema:
        """The widest of them, since it is asked for to tell how large the file may become."""
        return max((stream.schema for stream in self._streams), key=len)

    @property
    def snapshot_at(self) -> datetime:
        return self._streams[0].snapshot_at

    @property
    def rows_expected(self) -> int | None:
        counts = [stream.rows_expected for stream in self._streams]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def cancel(self) -> None:
        """Interrupt whichever statement is running."""
        for stream in self._streams:
            stream.cancel()


def run_workbook(
    source: Source,
    sheets: Sequence[SheetQuery],
    layout: Layout,
    open_sink: OpenSink,
    *,
    progress: ExportProgress | None = None,
    stop: StopToken | None = None,
    max_row_bytes: int | None = None,
    wrap: Wrap | None = None,
) -> ExportResult:
    """Export all `sheets` into one workbook and return what was written; `layout` is the book's.

    All are read in one snapshot, one after the other. For each of them the rows that the database
    counts, that were read, and that are in its sheets must agree. The figures of the result are
    those of all together, and its warnings name the sheet beside the column. With `wrap`, the
    sink gets what that makes of the workbook.

    Raises:
        ExportRejected: the source has no snapshot that several queries can read.
        RowTooLarge, IncompleteExport, ExportStopped: as `run_export`.
    """
    # An export of another format loads no workbook library.
    from waybill.exporter.formats.xlsx.several_tables import TableRows, encode_tables

    progress = progress or ExportProgress()
    stop = stop or StopToken()
    if not isinstance(source, SnapshotSource):
        raise ExportRejected("This source cannot read several queries in one snapshot.")
    queries = [sheet.query for sheet in sheets]
    with stop.around_reading(), source.open_together(queries) as streams:
        ahead = _Together(streams)
        stop.interrupt_with(ahead.cancel)
        progress.rows_total = ahead.rows_expected
        progress.snapshot_at = ahead.snapshot_at
        with open_sink(ahead) as sink:
            tables = [
                CountedRows(stream, ShownRows(stream, sheet.layout), Tally(), max_row_bytes)
                for stream, sheet in zip(streams, sheets, strict=True)
            ]
            tally, described = Tally(), _described(layout, sheets, streams, ahead)
            chunks = encode_tables(
                [
                    TableRows(
                        table.shown.schema,
                        table,
                        describe(
                            sheet.layout, table.stream.snapshot_at, table.stream.rows_expected
                        ),
                        table.tally,
                    )
                    for table, sheet in zip(tables, sheets, strict=True)
                ],
                described,
                tally,
            )
            chunks = chunks if wrap is None else wrap(chunks, tally)
            sha256 = write_chunks(chunks, tally, sink, progress, stop)
            for table in tables:
                check_rows_agree(table.stream.rows_expected, table.rows, table.tally)
            check_rows_agree(ahead.rows_expected, sum(table.rows for table in tables), tally)
            return finish_file(ahead, tally, sha256, sink, progress, stop)


def _described(
    layout: Layout, sheets: Sequence[SheetQuery], streams: Sequence[RowStream], ahead: _Together
) -> Layout:
    """`layout` with what only the snapshot knows, and the rows of each dataset."""
    layout = describe(layout, ahead.snapshot_at, ahead.rows_expected)
    if not layout.about:
        return layout
    counts = [
        (
            about_text(layout.language, "rows_of", title=sheet.layout.title),
            f"{stream.rows_expected:,}",
        )
        for sheet, stream in zip(sheets, streams, strict=True)
        if stream.rows_expected is not None
    ]
    return replace(layout, about=(*layout.about, *counts))
