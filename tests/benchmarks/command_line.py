"""A SQLite table to an XLSX file by `waybill export`, against a script that does the same.

Both are programs of their own, and the time is that of the whole process, its start included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.process import Figures
from tests.benchmarks.scratch import scratch_file

_SCRIPT = """
import sqlite3, sys
import xlsxwriter

path, table, target = sys.argv[1:]
cursor = sqlite3.connect(path).execute(f"SELECT * FROM {table}")
with xlsxwriter.Workbook(target, {"constant_memory": True}) as book:
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, [name for name, *_ in cursor.description])
    for number, row in enumerate(cursor, 1):
        for column, value in enumerate(row):
            if isinstance(value, str):
                sheet.write_string(number, column, value)
            elif value is not None:
                sheet.write_number(number, column, value)
"""


def ours(path: str, table: str) -> Figures:
    """Seconds, and the size of the file."""
    command = [sys.executable, "-m", "waybill", "export", "--source", f"sqlite:///{path}"]
    return _seconds([*command, "--table", table, "-o"])


def peer(path: str, table: str) -> Figures:
    """The same; timestamps stay the texts that SQLite stores."""
    return _seconds([sys.executable, "-c", _SCRIPT, path, table])


def _seconds(command: list[str]) -> Figures:
    with scratch_file("rows.xlsx") as target:
        home = target.parent / "home"
        home.mkdir()
        # An installed program has its modules compiled.
        environment = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        environment |= {"WAYBILL_HOME": str(home), "HOME": str(home)}
        start = time.perf_counter()
        subprocess.run(
            [*command, str(target)],
            check=True,
            capture_output=True,
            env=environment,
            cwd=Path(__file__).parents[2],
        )
        return {"seconds": time.perf_counter() - start, "file_bytes": target.stat().st_size}
