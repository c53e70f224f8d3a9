"""XLSX from rows in memory, against XlsxWriter's ``constant_memory`` mode on the same rows.

Run it as ``python -m tests.benchmarks.xlsx_encode --rows 500000``. Peak memory is measured
in processes of their own, at 1×, 3× and 10× the rows, over the same batches again and again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import pyarrow as pa
import xlsxwriter

from exporter.encoding import Tally
from exporter.formats import FORMATS
from exporter.layout import Layout
from tests.benchmarks.measure import best_seconds, encoding_speed
from tests.benchmarks.rows import BATCH_ROWS, make_batches

_SCALES = (1, 3, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    rows = parser.parse_args().rows
    batches = make_batches(rows)
    ours = encoding_speed(FORMATS["xlsx"].encode, batches)
    peer = seconds_of_xlsxwriter(batches)
    cells = rows * batches[0].num_columns
    report = {
        "benchmark": "xlsx_encode",
        "rows": rows,
        "columns": batches[0].num_columns,
        "results": {"xlsx": ours},
        "xlsxwriter_constant_memory": {
            "seconds": round(peer, 3),
            "million_cells_per_second": round(cells / peer / 1e6, 3),
        },
        "times_as_quick_as_xlsxwriter": round(peer / ours["seconds"], 1),
        "growth": [growth(rows * scale) for scale in _SCALES],
    }
    sys.stdout.write(json.dumps(report) + "\n")


def seconds_of_xlsxwriter(batches: list[pa.RecordBatch]) -> float:
    """How long the straightforward writer takes, with a format for dates and nothing else."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rows.xlsx"
        return best_seconds(lambda: _write_with_xlsxwriter(path, batches), runs=1)


def _write_with_xlsxwriter(path: Path, batches: list[pa.RecordBatch]) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True, "remove_timezone": True}) as book:
        sheet = book.add_worksheet()
        dates = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.write_row(0, 0, batches[0].schema.names)
        row = 0
        for batch in batches:
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                row += 1
                _write_row(sheet, row, values, dates)


def _write_row(sheet: Any, row: int, values: tuple[Any, ...], dates: Any) -> None:
    for column, value in enumerate(values):
        if isinstance(value, str):
            sheet.write_string(row, column, value)
        elif isinstance(value, bool):
            sheet.write_boolean(row, column, value)
        elif isinstance(value, int | float):
            sheet.write_number(row, column, value)
        elif isinstance(value, datetime):
            sheet.write_datetime(row, column, value, dates)


def growth(rows: int) -> dict[str, Any]:
    """Seconds, and peak memory above what a process has before it encodes."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_growth, (rows,))


def _measure_growth(rows: int) -> dict[str, Any]:
    batches = make_batches(4 * BATCH_ROWS)
    warm_up = sum(map(len, FORMATS["xlsx"].encode(batches[0].schema, [], Layout(), Tally())))
    # Since Linux 4.0 this sets the peak back to what is in use now.
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory_mib("VmRSS")
    start = time.perf_counter()
    source = _repeated(batches, rows)
    size = sum(map(len, FORMATS["xlsx"].encode(batches[0].schema, source, Layout(), Tally())))
    return {
        "rows": rows,
        "seconds": round(time.perf_counter() - start, 3),
        "file_mb": round((size - warm_up) / 1e6, 1),
        "peak_mib": round(_memory_mib("VmHWM")),
        "peak_mib_above_start": round(_memory_mib("VmHWM") - before),
    }


def _repeated(batches: list[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    endless = (batch for same in repeat(batches) for batch in same)
    yield from islice(endless, rows // BATCH_ROWS)
    if rows % BATCH_ROWS:
        yield batches[0].slice(0, rows % BATCH_ROWS)


def _memory_mib(name: str) -> float:
    """`VmRSS` or `VmHWM` of this process. Unlike `getrusage`, not the parent's peak too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kib) / 1024


if __name__ == "__main__":
    main()
