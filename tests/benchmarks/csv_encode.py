"""Text formats from rows in memory, against ``gzip -1`` alone on the same CSV.

``psql COPY | gzip -1`` cannot be quicker than its second half, which gets the finished text
here for nothing. Run it as ``python -m tests.benchmarks.csv_encode --rows 500000``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

from exporter.formats import FORMATS
from tests.benchmarks.measure import best_seconds, encoding_speed
from tests.benchmarks.rows import make_batches
from tests.encoded import encode_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    rows = parser.parse_args().rows
    batches = make_batches(rows)
    results = {
        name: encoding_speed(FORMATS[name].encode, batches)
        for name in ("csv", "csv.gz", "csv.zip", "jsonl.gz")
    }
    gzip_seconds = seconds_of_gzip(batches)
    report = {
        "benchmark": "csv_encode",
        "rows": rows,
        "columns": batches[0].num_columns,
        "results": results,
        "gzip_1_seconds": round(gzip_seconds, 4),
        "csv_gz_times_as_quick_as_gzip_1": round(gzip_seconds / results["csv.gz"]["seconds"], 2),
    }
    sys.stdout.write(json.dumps(report) + "\n")


def seconds_of_gzip(batches: list[pa.RecordBatch]) -> float:
    """How long ``gzip -1`` takes for the plain CSV file of `batches`."""
    plain, _ = encode_table(FORMATS["csv"].encode, pa.Table.from_batches(batches))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rows.csv"
        path.write_bytes(plain)
        command = ["gzip", "-1", "--stdout", str(path)]
        return best_seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


if __name__ == "__main__":
    main()
