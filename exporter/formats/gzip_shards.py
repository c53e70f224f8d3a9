"""Gzip files in shards: one member, whose deflate stream goes on from shard to shard.

Blocks are independent, so shards join as blocks do, and their CRCs combine. The first shard has the
header; the trailer follows the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

import pyarrow as pa

from waybill.exporter.blocks.block import Block, Checksum, padding
from waybill.exporter.blocks.gzip_stream import GZIP_HEADER, gzip_end
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.part_ends import PartEnds
from waybill.exporter.formats.shard_end import (
    Mark,
    ShardedEncoding,
    ShardedFile,
    ShardEnd,
    combined,
)

#: The blocks of some rows; those of the first shard begin with what precedes all rows.
EncodeBlocks = Callable[[pa.Schema, Iterable[pa.RecordBatch], Layout, Tally, bool], Iterator[Block]]


class GzipShards(ShardedEncoding):
    """A `ShardedEncoding` of what `blocks` renders."""

    def __init__(self, blocks: EncodeBlocks) -> None:
        self._blocks = blocks

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        layout: Layout,
        tally: Tally,
        *,
        file: ShardedFile,
        number: int,
        least_bytes: int,
        begin: Mark | None = None,
    ) -> Generator[bytes | Mark, None, ShardEnd]:
        """Yield the bytes of one shard; see `ShardedEncoding`."""
        ends = PartEnds.of(file, number, least_bytes, begin)
        raw = packed = Checksum()
        if begin is not None:
            raw, packed = begin.so_far.raw, begin.so_far.file
            tally.go_on(begin.so_far.rows, begin.so_far.warnings)
        elif number == 0:
            packed = Checksum.of(GZIP_HEADER)
            yield GZIP_HEADER
        is_first = number == 0 and begin is None
        for block in self._blocks(schema, batches, layout, tally, is_first):
            raw += block.raw
            packed += block.packed
            yield block.data
            # A row that is rendered in pieces is counted with the last of them.
            if block.rows and ends.is_end(packed.size_bytes, tally.rows):
                yield Mark(ShardEnd(tally.rows, packed, raw, warnings=tally.warnings.copy()))
        if missing := ends.missing(packed.size_bytes):
            filler = padding(missing)
            packed += filler.packed
            yield filler.data
        tally.file = packed
        return ShardEnd(tally.rows, packed, raw, warnings=tally.warnings)

    def end(
        self, schema: pa.Schema, layout: Layout, file: ShardedFile, shards: Sequence[ShardEnd]
    ) -> bytes:
        """The trailer."""
        return gzip_end(combined(shards, lambda shard: shard.raw))
