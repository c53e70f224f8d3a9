"""Running an encoder in a test: a table in, the whole file and the tally out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

import pyarrow as pa

from waybill.exporter.blocks.block import Checksum
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Encode, Tally
from waybill.exporter.rows.seals import sealed


def encode_table(
    encode: Encode, table: pa.Table, layout: Layout | None = None, *, batch_rows: int = 16_384
) -> tuple[bytes, Tally]:
    """The file `encode` makes of `table`, cut into batches of `batch_rows`."""
    tally = Tally()
    batches = table.to_batches(max_chunksize=batch_rows)
    data = b"".join(encode(table.schema, sealed(batches), layout or Layout(), tally))
    assert tally.file == Checksum.of(data)
    return data, tally


def bytes_before_failure(encode: Encode, table: pa.Table) -> bytes:
    """What `encode` has yielded when its source fails after the rows of `table`."""
    seen = bytearray()
    batches = sealed(_broken(table.to_batches()))
    with closing(encode(table.schema, batches, Layout(), Tally())) as chunks:
        try:
            for chunk in chunks:
                seen += chunk
        except ConnectionError:
            return bytes(seen)
    raise AssertionError("the failure of the source was swallowed")


def _broken(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches
    raise ConnectionError
