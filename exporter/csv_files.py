"""One CSV file, plain or gzipped, from a stream of batches."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import chain

import pyarrow as pa

from exporter.blocks import Checksum
from exporter.csv_profiles import EXCEL, CsvProfile
from exporter.csv_text import CsvText
from exporter.encoding import Encode, Tally
from exporter.gzip_stream import gzip_file
from exporter.layout import Layout
from exporter.text_rows import Rendered, blocks_of, each_run


def csv_encoder(profile: CsvProfile = EXCEL) -> Encode:
    """The encoder of CSV files in `profile`."""

    def encode_csv(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        text = CsvText(schema, layout, profile)
        header = text.header()
        runs = each_run(text.rows, Rendered.checksum, batches)
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
        text = CsvText(schema, layout, profile)
        tally.file = yield from gzip_file(blocks_of(text.header(), text.rows, batches, tally))

    return encode_csv_gzip
