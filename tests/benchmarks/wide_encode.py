"""XLSX of wide tables: the same number of cells in few columns and in many.

The columns are those of `tests.support.benchmark_rows`, again and again. Batches have as many bytes
as sources give them.
"""

from __future__ import annotations

import time

import pyarrow as pa

from tests.benchmarks.process import Figures
from tests.support.benchmark_rows import SCHEMA, make_batches
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.rows.seals import sealed
from waybill.infra.sources.batches import MAX_BYTES, MAX_ROWS


def ours(columns: int, cells: int) -> Figures:
    """Million cells per second."""
    rows = max(1, cells // columns)
    (narrow,) = make_batches(rows, rows)
    arrays = [narrow.column(position % len(SCHEMA)) for position in range(columns)]
    names = [f"{SCHEMA.names[n % len(SCHEMA)]}_{n}" for n in range(columns)]
    wide = pa.RecordBatch.from_arrays(arrays, names=names)
    row_bytes = max(1, narrow.nbytes // rows * columns // len(SCHEMA))
    at_once = min(MAX_ROWS, max(1, MAX_BYTES // row_bytes))
    batches = [wide.slice(start, at_once) for start in range(0, rows, at_once)]
    # Sources count their rows.
    layout, tally = Layout(rows_expected=rows), Tally()
    start = time.perf_counter()
    size = sum(map(len, encode_xlsx(wide.schema, sealed(batches), layout, tally)))
    seconds = time.perf_counter() - start
    if tally.rows != rows:
        raise RuntimeError("rows are missing")
    return {
        "seconds": seconds,
        "file_bytes": size,
        "million_cells_per_second": rows * columns / seconds / 1e6,
    }
