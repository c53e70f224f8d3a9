"""How long an encoder takes for rows that are in memory already."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from exporter.encoding import Encode, Tally
from exporter.layout import Layout

#: The best of so many runs is taken: what else the machine does only ever adds time.
RUNS = 3


def best_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """The time of the quickest of `runs` runs."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def encoding_speed(encode: Encode, batches: Sequence[pa.RecordBatch]) -> dict[str, Any]:
    """Seconds, rows and cells and Arrow megabytes a second, and the size of the file."""
    size = 0

    def run() -> None:
        nonlocal size
        chunks = encode(batches[0].schema, batches, Layout(), Tally())
        size = sum(len(chunk) for chunk in chunks)

    seconds = best_seconds(run)
    rows = sum(batch.num_rows for batch in batches)
    arrow_bytes = sum(batch.nbytes for batch in batches)
    return {
        "seconds": round(seconds, 4),
        "rows_per_second": round(rows / seconds),
        "million_cells_per_second": round(rows * batches[0].num_columns / seconds / 1e6, 2),
        "arrow_mb_per_second": round(arrow_bytes / seconds / 1e6, 1),
        "file_mb": round(size / 1e6, 2),
    }
