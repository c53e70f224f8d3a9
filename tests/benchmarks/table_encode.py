"""A table in PostgreSQL encoded by us; the bytes are counted and dropped."""

from __future__ import annotations

import time

from tests.benchmarks.process import Figures
from tests.benchmarks.tables import all_rows
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Encode, Tally
from waybill.infra.sources import open_source


def read_and_encode(database: str, table: str, encode: Encode) -> Figures:
    """Seconds from connecting to the last byte, with the count, and the size of the file."""
    source, query, tally = open_source(database), all_rows(table), Tally()
    start = time.perf_counter()
    with source.open(query) as stream:
        size = sum(map(len, encode(stream.schema, stream, Layout(), tally)))
        expected = stream.rows_expected
    seconds = time.perf_counter() - start
    if tally.rows != expected:
        raise RuntimeError("rows are missing")
    return {"seconds": seconds, "file_bytes": size}
