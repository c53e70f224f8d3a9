"""The export itself: read a query in one snapshot, write one file, and prove it complete.

`run_export` either returns an `ExportResult` whose counts agree, or raises and leaves no file
behind. It knows no database, store or task, only the protocols of `waybill.exporter.ports`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from datetime import datetime

from waybill.exporter.counted_rows import CountedRows, describe
from waybill.exporter.datasets.dataset import Query
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats.encoding import Encode, Tally
from waybill.exporter.ports import AssumesTypes, RowsAhead, Sink, Source, TypesChanged
from waybill.exporter.shown_rows import ShownRows
from waybill.exporter.stop import StopToken
from waybill.exporter.warning_rules import listed


@dataclass(slots=True)
class ExportProgress:
    """How far an export is. Written by its thread, read by any other."""

    rows_done: int = 0
    rows_total: int | None = None
    bytes_rendered: int = 0
    snapshot_at: datetime | None = None


#: Opens the file, knowing how large it may become.
OpenSink = Callable[[RowsAhead], AbstractContextManager[Sink]]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What a finished export consists of."""

    rows_source: int | None
    rows_written: int
    size_bytes: int
    sha256: str
    snapshot_at: datetime
    #: How often a value had to be changed: ``{"column": ..., "rule": ..., "count": ...}``.
    warnings: list[dict[str, str | int]] = field(default_factory=list)


def run_export(
    source: Source,
    query: Query,
    encode: Encode,
    layout: Layout,
    open_sink: OpenSink,
    *,
    progress: ExportProgress | None = None,
    stop: StopToken | None = None,
    count: bool = True,
    max_row_bytes: int | None = None,
    can_begin_again: bool = False,
) -> ExportResult:
    """Export `query` and return what was written.

    `open_sink` gets the opened stream, whose row count and schema tell how large the file may
    become. Rows the database counts in the snapshot, rows that were read and rows counted in
    the rendered bytes must agree, and the sink publishes nothing but exactly those bytes
    (`docs/decisions/0009-proof-of-completeness.md`). With ``count=False`` the end of the cursor
    is trusted, and `ExportResult.rows_source` is None to say so. Encoders copy a row several times,
    so one of more than `max_row_bytes` of values ends the export before they see it.

    `can_begin_again` says that a sink which is left by an exception leaves nothing behind, so that
    `open_sink` may be called a second time. A source that would have to read its rows twice to
    be sure of their types then reads them once; if they are not of the types it declares, the
    export begins again in the same snapshot.

    Raises:
        RowTooLarge: there is such a row.
        IncompleteExport: rows were lost, repeated, swapped or changed; nothing was published.
        ExportStopped: `stop` was used.
    """
    progress = progress or ExportProgress()
    stop = stop or StopToken()
    with stop.around_reading(), source.open(query, count=count) as stream:
        stop.interrupt_with(stream.cancel)
        if can_begin_again and isinstance(stream, AssumesTypes):
            stream.assume_declared_types()

        def write() -> ExportResult:
            progress.rows_done = progress.bytes_rendered = 0
            progress.rows_total = stream.rows_expected
            progress.snapshot_at = stream.snapshot_at
            with open_sink(stream) as sink:
                shown = ShownRows(stream, layout)
                counted = CountedRows(stream, shown, Tally(), max_row_bytes)
                described = describe(layout, stream.snapshot_at, stream.rows_expected)
                return _write(counted, encode, described, sink, progress, stop)

        try:
            outcome = write()
        except TypesChanged:
            stop.check()
            outcome = write()
    return outcome


def _write(
    counted: CountedRows,
    encode: Encode,
    layout: Layout,
    sink: Sink,
    progress: ExportProgress,
    stop: StopToken,
) -> ExportResult:
    stream, tally = counted.stream, counted.tally
    chunks = encode(counted.shown.schema, counted, layout, tally)
    sha256 = write_chunks(chunks, tally, sink, progress, stop)
    check_rows_agree(stream.rows_expected, counted.rows, tally)
    return finish_file(stream, tally, sha256, sink, progress, stop)


def write_chunks(
    chunks: Generator[bytes, None, None],
    tally: Tally,
    sink: Sink,
    progress: ExportProgress,
    stop: StopToken,
) -> str:
    """Write what an encoder yields, and return its SHA-256 in hexadecimal digits."""
    digest = hashlib.sha256()
    with closing(chunks):
        for chunk in chunks:
            stop.check()
            digest.update(chunk)
            sink.write(chunk)
            progress.bytes_rendered += len(chunk)
            progress.rows_done = tally.rows
    return digest.hexdigest()


def check_rows_agree(rows_expected: int | None, rows_read: int, tally: Tally) -> None:
    """Compare the rows that the database counted, that were read, and that were written.

    Raises:
        IncompleteExport: they differ.
    """
    if rows_expected not in {None, rows_read}:
        raise IncompleteExport(
            f"The database counted {rows_expected:,} rows; {rows_read:,} were read."
        )
    if rows_read != tally.rows:
        raise IncompleteExport(f"{rows_read:,} rows were read; {tally.rows:,} were written.")


def finish_file(
    ahead: RowsAhead,
    tally: Tally,
    sha256: str,
    sink: Sink,
    progress: ExportProgress,
    stop: StopToken,
) -> ExportResult:
    """Tell `sink` what the file has to be, once every row count was found to agree."""
    if tally.file is None:
        raise IncompleteExport("The encoder did not say what the file has to be.")
    sink.expect(tally.file.size_bytes, tally.file.crc32)
    stop.check()
    return ExportResult(
        rows_source=ahead.rows_expected,
        rows_written=tally.rows,
        size_bytes=progress.bytes_rendered,
        sha256=sha256,
        snapshot_at=ahead.snapshot_at,
        warnings=listed(tally.warnings),
    )
