"""Writing one shard: its rows in one snapshot, its bytes into its parts, its counts proved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from waybill.exporter.counted_rows import CountedRows, describe
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.shard_end import ShardedEncoding, ShardedFile, ShardEnd
from waybill.exporter.ports import RowStream
from waybill.exporter.shards.plan import Shard, Snapshot
from waybill.exporter.shown_rows import ShownRows
from waybill.exporter.stop import StopToken


def write_shard(
    stream: RowStream,
    encoding: ShardedEncoding,
    layout: Layout,
    snapshot: Snapshot,
    file: ShardedFile,
    shard: Shard,
    write: Callable[[bytes], None],
    *,
    least_bytes: int,
    on_rows: Callable[[int], None],
    stop: StopToken,
    max_row_bytes: int | None = None,
) -> ShardEnd:
    """Write `shard` by calling `write`, and return what was written.

    `stream` reads the rows of `shard` in `snapshot`. `on_rows` is called with the number of rows so
    far, after each call of `write`.

    Raises:
        IncompleteExport: rows were lost, repeated, swapped or changed, or are not as many as the
            plan says.
        ExportStopped: `stop` was used.
    """
    tally = Tally()
    counted = CountedRows(stream, ShownRows(stream, layout), tally, max_row_bytes)
    described = describe(layout, snapshot.taken_at, snapshot.rows)
    digest = hashlib.sha256()
    chunks = encoding.encode(
        counted.shown.schema,
        counted,
        described,
        tally,
        file=file,
        number=shard.number,
        least_bytes=least_bytes,
    )
    with closing(chunks):
        while True:
            try:
                chunk = next(chunks)
            except StopIteration as ended:
                end: ShardEnd = ended.value
                break
            stop.check()
            digest.update(chunk)
            write(chunk)
            on_rows(tally.rows)
    if not shard.rows == counted.rows == tally.rows:
        raise IncompleteExport(
            f"The database counted {shard.rows:,} rows in a part; {counted.rows:,} were read, and"
            f" {tally.rows:,} written."
        )
    return replace(end, sha256=digest.hexdigest())
