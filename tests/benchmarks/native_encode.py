"""XLSX from an Arrow table in memory, by three writers in Rust; ours is `xlsx_encode.ours`.

Each in its best mode (measured), with its file in memory where the machine has such a file system.
Ours besides proves that every row was written, and compares the bytes with their checksum.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tests.benchmarks.process import Figures
from tests.benchmarks.scratch import scratch_file
from tests.support.benchmark_rows import make_batches


def jetxl(rows: int) -> Figures:
    """Rust straight from Arrow's buffers, a thread each for XML and for compression."""
    from jetxl import write_sheet_arrow

    return _seconds(rows, lambda table, path: write_sheet_arrow(table, path))


def xlsxturbo(rows: int) -> Figures:
    """`rust_xlsxwriter` behind data frames."""
    import polars as pl
    from xlsxturbo import df_to_xlsx

    def write(frame: pl.DataFrame, path: str) -> None:
        df_to_xlsx(frame, path, constant_memory=True, compression_level=1)

    return _seconds(rows, write, prepare=pl.from_arrow)


def rustpy(rows: int) -> Figures:
    """`rust_xlsxwriter` behind batches of records."""
    from rustpy_xlsxwriter import write_worksheet

    return _seconds(rows, lambda table, path: write_worksheet(table.to_reader(), path))


def _seconds(
    rows: int, write: Callable[[Any, str], Any], prepare: Callable[[pa.Table], Any] = lambda t: t
) -> Figures:
    table = prepare(pa.Table.from_batches(make_batches(rows)))
    with scratch_file("rows.xlsx") as path:
        start = time.perf_counter()
        write(table, str(path))
        return {"seconds": time.perf_counter() - start, "file_bytes": path.stat().st_size}
