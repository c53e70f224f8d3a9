"""The ``csv`` and ``csv.gz`` formats: one CSV file, plain or gzipped."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import partial
from itertools import chain

import pyarrow as pa

from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.blocks.gzip_stream import gzip_file
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.csv.csv_text import CsvText
from waybill.exporter.formats.csv.profiles import EXCEL, CsvProfile
from waybill.exporter.formats.encoding import Encode, Tally
from waybill.exporter.formats.gzip_shards import GzipShards
from waybill.exporter.formats.text_rows import Rendered, blocks_of, each_run


def csv_encoder(profile: CsvProfile = EXCEL) -> Encode:
    """The encoder of CSV files in `profile`."""

    def encode_csv(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        text = CsvText(schema, layout, profile)
        header = text.header()
        runs = each_run(
            text.rows,
            Rendered.checksum,
            batches,
            len(text.columns),
            in_pieces=text.row_in_pieces,
        )
        file = Checksum()
        for rendered, checksum in chain([(header, header.checksum())], runs):
            rendered.count_in(tally)
            file += checksum
            yield rendered.raw
        tally.file = file

    return encode_csv


def csv_gzip_encoder(profile: CsvProfile = EXCEL) -> Encode:
    """The encoder of gzipped CSV files in `profile`; inside is what `csv_encoder` writes."""

    def encode_csv_gzip(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        tally.file = yield from gzip_file(csv_blocks(profile, schema, batches, layout, tally))

    return encode_csv_gzip


def csv_gzip_shards(profile: CsvProfile = EXCEL) -> GzipShards:
    """The same in shards."""
    return GzipShards(partial(csv_blocks, profile))


def csv_blocks(
    profile: CsvProfile,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    layout: Layout,
    tally: Tally,
    is_first: bool = True,
) -> Iterator[Block]:
    """A CSV file, or what follows its header, as compressed blocks."""
    text = CsvText(schema, layout, profile)
    header = text.header()
    # Its warnings count once for the whole file.
    head = header if is_first else None
    return blocks_of(head, text.rows, batches, len(text.columns), tally, text.row_in_pieces)
