"""Peak memory of exports to CSV whose rows or columns are far larger than most."""

from __future__ import annotations

import psycopg

from tests.benchmarks.process import Figures
from tests.benchmarks.table_encode import read_and_encode
from tests.benchmarks.tables import libpq_url
from waybill.exporter.formats.csv.files import csv_gzip_encoder

_COLUMNS, _ROWS = 600, 5_000
_CELL_BYTES = 100_000_000


def fill(url: str) -> None:
    """Make the tables."""
    columns = ", ".join(f"(n * {c} % 1000003) AS c{c}" for c in range(_COLUMNS))
    text = f"n, repeat(chr(64 + n), {_CELL_BYTES}) AS x"
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(f"CREATE UNLOGGED TABLE wide AS SELECT {columns} FROM {_numbers(_ROWS)}")  # noqa: S608
        connection.execute(f"CREATE UNLOGGED TABLE large AS SELECT {text} FROM {_numbers(2)}")  # noqa: S608
        connection.execute(
            "CREATE UNLOGGED TABLE large_row AS SELECT n, x, x AS y FROM large WHERE n = 1"
        )


def _numbers(rows: int) -> str:
    return f"generate_series(1, {rows}) AS n"


def wide(database: str) -> Figures:
    """600 columns."""
    return read_and_encode(database, "wide", csv_gzip_encoder())


def large_row(database: str) -> Figures:
    """One row with two such texts."""
    return read_and_encode(database, "large_row", csv_gzip_encoder())


def large(database: str) -> Figures:
    """Two rows with a text of 100 MB each."""
    return read_and_encode(database, "large", csv_gzip_encoder())
