"""Files in shards, each of which is written as another process would."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.shard_end import Mark, ShardedFile, ShardEnd, combined
from waybill.exporter.rows.seals import sealed

SCHEMA = pa.schema([("n", pa.int64()), ("=text", pa.string())])
ROWS = 100_000
#: As an export knows it, whose rows were counted.
LAYOUT = Layout(rows_expected=ROWS, snapshot_at=datetime(2026, 3, 1, 9, tzinfo=UTC))


def rows(first: int, count: int) -> list[pa.RecordBatch]:
    """Rows of a table, from the number `first` on."""
    numbers = range(first, first + count)
    texts = [f"={number}" for number in numbers]
    return [pa.record_batch([pa.array(numbers, pa.int64()), pa.array(texts)], schema=SCHEMA)]


def shard(
    encoding, file: ShardedFile, number: int, least: int, begin: Mark | None = None
) -> tuple[list[bytes | Mark], ShardEnd]:
    """Bytes and marks of one shard behind `begin`, as another process would write them."""
    done = begin.so_far.rows if begin else 0
    first = number * file.rows_of_shard + done
    pieces: list[bytes | Mark] = []
    made = encoding.encode(
        SCHEMA,
        sealed(rows(first, file.rows_of(number) - done)),
        LAYOUT,
        Tally(),
        file=file,
        number=number,
        least_bytes=least,
        begin=begin,
    )
    while True:
        try:
            piece = next(made)
        except StopIteration as ended:
            # Over the database to another process.
            return pieces, ShardEnd.from_json(ended.value.to_json())
        if isinstance(piece, Mark):
            piece = Mark.from_json(json.loads(json.dumps(piece.to_json())))
        pieces.append(piece)


def bytes_of(pieces: Iterable[bytes | Mark]) -> bytes:
    """What was written, without marks."""
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))


def in_shards(encoding, wanted: int, least: int) -> tuple[bytes, list[ShardEnd]]:
    """A whole file, written in shards."""
    size = encoding.rows_of_shard(wanted)
    notes = encoding.prepare(SCHEMA, sealed(rows(0, size)), LAYOUT)
    file = ShardedFile(ROWS, size, notes)
    made = [shard(encoding, file, number, least) for number in range(-(-ROWS // size))]
    parts, ends = [bytes_of(pieces) for pieces, _ in made], [end for _, end in made]
    assert all(len(part) >= least for part in parts)
    last = encoding.end(SCHEMA, LAYOUT, file, ends)
    whole = b"".join([*parts, last])
    assert combined(ends, lambda end: end.file) + Checksum.of(last) == Checksum.of(whole)
    assert sum(end.rows for end in ends) == ROWS
    return whole, ends
