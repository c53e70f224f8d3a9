"""One CSV file, plain or gzipped, from a stream of batches."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import chain

import pyarrow as pa

from exporter.csv_profiles import EXCEL, CsvProfile
from exporter.csv_text import CsvText
from exporter.encoding import Encode, Tally
from exporter.gzip_stream import gzip_file
from exporter.layout import Layout
from exporter.text_rows import blocks_of, each_run


def csv_encoder(profile: CsvProfile = EXCEL) -> Encode:
    """The encoder of CSV files in `profile`."""

    def encode_csv(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        text = CsvText(schema, layout, profile)
        for rendered in chain([text.header()], each_run(text.rows, batches)):
            rendered.count_in(tally)
            yield rendered.raw

    return encode_csv


def csv_gzip_encoder(profile: CsvProfile = EXCEL) -> Encode:
    """The encoder of gzipped CSV files in `profile`; inside is what `csv_encoder` writes."""

    def encode_csv_gzip(
        schema: pa.Schema, batches: Iterable[pa.RecordBatch], layout: Layout, tally: Tally
    ) -> Generator[bytes, None, None]:
        text = CsvText(schema, layout, profile)
        yield from gzip_file(blocks_of(text.header(), text.rows, batches, tally))

    return encode_csv_gzip
