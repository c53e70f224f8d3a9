"""From a table in PostgreSQL to Parquet, against DuckDB's ``COPY``.

DuckDB reads the same table through the same ADBC driver, with the driver's own settings: its
extension for PostgreSQL is a download. Both sides' files go nowhere: ours is counted and
dropped, and DuckDB, which can write to a file only, gets one in memory where there is one.
"""

from __future__ import annotations

import time

import duckdb
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi

from tests.benchmarks.process import Figures
from tests.benchmarks.scratch import scratch_file
from tests.benchmarks.table_encode import read_and_encode
from tests.benchmarks.tables import all_rows
from waybill.exporter.formats.parquet import parquet_encoder


def ours(database: str, table: str) -> Figures:
    """Seconds, and the size of the file."""
    return read_and_encode(database, table, parquet_encoder())


def peer(database: str, table: str) -> Figures:
    """The same of DuckDB, with the compression it chooses by itself: snappy."""
    address = sa.make_url(database).set(drivername="postgresql")
    with scratch_file("rows.parquet") as path, duckdb.connect() as duck:
        start = time.perf_counter()
        with (
            dbapi.connect(address.render_as_string(hide_password=False)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(str(all_rows(table)))
            duck.register("source_rows", cursor.fetch_record_batch())
            duck.execute(f"COPY source_rows TO '{path}' (FORMAT parquet)")
        return {"seconds": time.perf_counter() - start, "file_bytes": path.stat().st_size}
