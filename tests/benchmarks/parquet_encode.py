"""Parquet from rows in memory, against DuckDB's ``COPY`` of the same rows.

Run it as ``python -m tests.benchmarks.parquet_encode --rows 500000``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from exporter.formats import FORMATS
from tests.benchmarks.measure import best_seconds, encoding_speed
from tests.benchmarks.rows import make_batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    rows = parser.parse_args().rows
    batches = make_batches(rows)
    ours = encoding_speed(FORMATS["parquet"].encode, batches)
    peers = duckdb_copies(pa.Table.from_batches(batches))
    report = {
        "benchmark": "parquet_encode",
        "rows": rows,
        "columns": batches[0].num_columns,
        "results": {"parquet": ours},
        "duckdb": peers,
        "times_as_quick_as_duckdb": {
            codec: round(peer["seconds"] / ours["seconds"], 2) for codec, peer in peers.items()
        },
    }
    sys.stdout.write(json.dumps(report) + "\n")


def duckdb_copies(table: pa.Table) -> dict[str, Any]:
    """Seconds and megabytes of ``COPY`` to a file, by codec; snappy is DuckDB's default."""
    results = {}
    with tempfile.TemporaryDirectory() as directory, duckdb.connect() as connection:
        connection.register("rows_in_memory", table)
        for codec in ("snappy", "zstd"):
            path = Path(directory) / f"{codec}.parquet"
            copy = f"COPY rows_in_memory TO '{path}' (FORMAT parquet, COMPRESSION {codec})"
            seconds = best_seconds(lambda copy=copy: connection.execute(copy))
            results[codec] = {
                "seconds": round(seconds, 4),
                "file_mb": round(path.stat().st_size / 1e6, 2),
            }
    return results


if __name__ == "__main__":
    main()
