"""From a table in PostgreSQL to gzipped CSV, against ``psql COPY | gzip -1``.

Both sides' bytes are counted and dropped. Ours also counts the rows in the database first,
quotes all text and guards it against being run as a formula.
"""

from __future__ import annotations

import subprocess
import time

import sqlalchemy as sa

from tests.benchmarks.process import Figures
from tests.benchmarks.table_encode import read_and_encode
from waybill.exporter.formats.csv.files import csv_gzip_encoder


def ours(database: str, table: str) -> Figures:
    """Seconds, and the size of the file."""
    return read_and_encode(database, table, csv_gzip_encoder())


def peer(database: str, table: str) -> Figures:
    """The same of the two programs."""
    url = sa.make_url(database).set(drivername="postgresql")
    copy = f"COPY {table} TO STDOUT WITH (FORMAT csv, HEADER)"
    read = ["psql", "--quiet", "--no-psqlrc", "--command", copy]
    read.append(url.render_as_string(hide_password=False))
    start = time.perf_counter()
    with (
        subprocess.Popen(read, stdout=subprocess.PIPE) as psql,
        subprocess.Popen(["gzip", "-1"], stdin=psql.stdout, stdout=subprocess.PIPE) as gzip,
    ):
        psql.stdout.close()
        size = 0
        while chunk := gzip.stdout.read(1 << 20):
            size += len(chunk)
    seconds = time.perf_counter() - start
    if psql.returncode or gzip.returncode:
        raise RuntimeError("psql or gzip failed")
    return {"seconds": seconds, "file_bytes": size}
