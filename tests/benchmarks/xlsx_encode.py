"""XLSX from rows in memory, against XlsxWriter's ``constant_memory`` mode.

The peer gets its Python values before the clock starts, and the writing method that fits
each of them: it does nothing but write.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from tests.benchmarks.process import Figures
from tests.support.benchmark_rows import SCHEMA, make_batches
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.rows.seals import sealed


def ours(rows: int) -> Figures:
    """Seconds and size of the file, whose bytes are counted and dropped."""
    batches = make_batches(rows)
    start = time.perf_counter()
    size = sum(map(len, encode_xlsx(SCHEMA, sealed(batches), Layout(), Tally())))
    return {"seconds": time.perf_counter() - start, "file_bytes": size}


def peer(rows: int) -> Figures:
    """Seconds and size of the file, which XlsxWriter can write to a disk only."""
    columns = [[column.to_pylist() for column in batch.columns] for batch in make_batches(rows)]
    values = [row for batch in columns for row in zip(*batch, strict=True)]
    del columns
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.xlsx"
        start = time.perf_counter()
        write_straightforwardly(path, SCHEMA.names, values)
        return {"seconds": time.perf_counter() - start, "file_bytes": path.stat().st_size}


def write_straightforwardly(path: Path, names: list[str], rows: Iterable[Iterable[Any]]) -> None:
    """The workbook with a header, a format for dates, and nothing else."""
    with xlsxwriter.Workbook(path, {"constant_memory": True, "remove_timezone": True}) as book:
        sheet = book.add_worksheet()
        dates = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.write_row(0, 0, names)
        for number, row in enumerate(rows, 1):
            _write_row(sheet, number, row, dates)


def _write_row(sheet: Any, number: int, row: Iterable[Any], dates: Any) -> None:
    # As quick as `write_row`, which has no way to give dates their format. (Measured.)
    for column, value in enumerate(row):
        if isinstance(value, str):
            sheet.write_string(number, column, value)
        elif isinstance(value, bool):
            sheet.write_boolean(number, column, value)
        elif isinstance(value, int | float):
            sheet.write_number(number, column, value)
        elif isinstance(value, datetime):
            sheet.write_datetime(number, column, value, dates)
