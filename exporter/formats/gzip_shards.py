"""Gzip files in shards: one member, whose deflate stream goes on from shard to shard.

Blocks are independent, so shards join as blocks do, and their CRCs combine. The first shard has the
header; the trailer follows the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from waybill.exporter.blocks.block import Block, Checksum, padding
from waybill.exporter.blocks.gzip_stream import GZIP_HEADER, gzip_end
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.shard_end import ShardedFile, ShardEnd, combined

#: The blocks of some rows; those of the first shard begin with what precedes all rows.
EncodeBlocks = Callable[[pa.Schema, Iterable[pa.RecordBatch], Layout, Tally, bool], Iterator[Block]]


class GzipShards:
    """A `ShardedEncoding` of what `blocks` renders."""

    def __init__(self, blocks: EncodeBlocks) -> None:
        self._blocks = blocks

    def rows_of_shard(self, wanted: int) -> int:
        """As wanted: a gzip file has no pages."""
        return wanted

    def prepare(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout
    ) -> dict[str, Any]:
        """The first rows decide nothing."""
        return {}

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
    ) -> Generator[bytes, None, ShardEnd]:
        """Yield the bytes of one shard; see `ShardedEncoding`."""
        raw = packed = Checksum()
        if number == 0:
            packed = Checksum.of(GZIP_HEADER)
            yield GZIP_HEADER
        for block in self._blocks(schema, batches, layout, tally, number == 0):
            raw += block.raw
            packed += block.packed
            yield block.data
        if packed.size_bytes < least_bytes:
            filler = padding(least_bytes - packed.size_bytes)
            packed += filler.packed
            yield filler.data
        tally.file = packed
        return ShardEnd(tally.rows, packed, raw, warnings=tally.warnings)

    def end(
        self, schema: pa.Schema, layout: Layout, file: ShardedFile, shards: Sequence[ShardEnd]
    ) -> bytes:
        """The trailer."""
        return gzip_end(combined(shards, lambda shard: shard.raw))
