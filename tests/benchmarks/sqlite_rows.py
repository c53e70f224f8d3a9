"""Rows of a SQLite table as Arrow, against the bare loop: `fetchmany`, then `pa.array`.

The loop counts nothing, checks no type, and leaves timestamps as texts and booleans as numbers.
Ours reads as an export to a store or a file does.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pyarrow as pa
import pyarrow.compute

from tests.benchmarks.process import Figures
from waybill.exporter.ports import AssumesTypes
from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import table_query

#: The best of 32 to 16,384. (Measured.)
_ROWS_AT_ONCE = 1_000


def ours(path: str, table: str) -> Figures:
    """Seconds from connecting to the last batch."""
    url = f"sqlite:///{path}"
    source, query = open_source(url), table_query(url, table)
    start = time.perf_counter()
    with source.open(query) as stream:
        if isinstance(stream, AssumesTypes):
            stream.assume_declared_types()
        expected = stream.rows_expected
        rows = sum(batch.num_rows for batch in stream)
    seconds = time.perf_counter() - start
    if rows != expected:
        raise RuntimeError("rows are missing")
    return {"seconds": seconds}


def peer(path: str, table: str) -> Figures:
    """The same of the loop."""
    start = time.perf_counter()
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            _ = [pa.array(values) for values in zip(*rows, strict=True)]
    return {"seconds": time.perf_counter() - start}
