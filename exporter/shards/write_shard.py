"""Writing one shard: its rows in one snapshot, its bytes into its parts, its counts proved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Protocol

from waybill.exporter.counted_rows import CountedRows, describe
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.shard_end import Leaf, Mark, ShardedEncoding, ShardedFile, ShardEnd
from waybill.exporter.shards.plan import Shard, ShardStream, Snapshot
from waybill.exporter.shards.reached import KeptKeys, Reached
from waybill.exporter.shown_rows import ShownRows
from waybill.exporter.stop import StopToken


class ShardSink(Protocol):
    """Where the bytes of a shard go."""

    def write(self, data: bytes) -> None:
        """Append `data`."""
        ...

    def end_part(self, reached: Reached) -> None:
        """End a part here, and record that any process may go on from `reached`."""
        ...


def write_shard(
    stream: ShardStream,
    encoding: ShardedEncoding,
    layout: Layout,
    snapshot: Snapshot,
    file: ShardedFile,
    shard: Shard,
    sink: ShardSink,
    *,
    begin: Reached | None = None,
    least_bytes: int,
    on_rows: Callable[[int], None],
    stop: StopToken,
    max_row_bytes: int | None = None,
) -> ShardEnd:
    """Write `shard` to `sink`, from its first row or behind `begin`, and return what it is.

    `stream` reads these rows in `snapshot`. The last part has at least `least_bytes`. `on_rows` is
    called with the number of rows so far, after each write.

    Raises:
        IncompleteExport: rows were lost, repeated, swapped or changed, or are not as many as the
            plan says.
        ExportStopped: `stop` was used.
    """
    tally = Tally()
    before = begin.rows if begin else 0
    keys = KeptKeys(stream, before)
    counted = CountedRows(keys, ShownRows(keys, layout), tally, max_row_bytes)
    described = describe(layout, snapshot.taken_at, snapshot.rows)
    leaves = _Leaves(list(begin.mark.so_far.leaves) if begin else [])
    chunks = encoding.encode(
        counted.shown.schema,
        counted,
        described,
        tally,
        file=file,
        number=shard.number,
        least_bytes=least_bytes,
        begin=begin.mark if begin else None,
    )
    with closing(chunks):
        while True:
            try:
                chunk = next(chunks)
            except StopIteration as ended:
                end: ShardEnd = ended.value
                break
            stop.check()
            if isinstance(chunk, Mark):
                so_far = replace(chunk.so_far, leaves=leaves.end())
                reached = Reached(keys.key_of(so_far.rows), replace(chunk, so_far=so_far))
                sink.end_part(reached)
                continue
            leaves.update(chunk)
            sink.write(chunk)
            on_rows(tally.rows)
    if not shard.rows == before + counted.rows == tally.rows:
        raise IncompleteExport(
            f"The database counted {shard.rows:,} rows in a part; {before + counted.rows:,} were"
            f" read, and {tally.rows:,} written."
        )
    return replace(end, leaves=leaves.end())


class _Leaves:
    """The SHA-256s of the pieces of a shard, none of which is gone on with in its middle."""

    def __init__(self, ended: list[Leaf]) -> None:
        self._ended = ended
        self._size = 0
        self._digest = hashlib.sha256()

    def update(self, data: bytes) -> None:
        self._size += len(data)
        self._digest.update(data)

    def end(self) -> list[Leaf]:
        """End a piece, and return all of them."""
        self._ended.append((self._size, self._digest.hexdigest()))
        self._size, self._digest = 0, hashlib.sha256()
        return list(self._ended)
