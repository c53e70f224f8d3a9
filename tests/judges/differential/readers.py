"""Readers that are not ours: rows of values out of the bytes of one file, without the headings."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import io
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow.parquet as pq
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook

from tests.judges.differential.declared import Kind
from tests.judges.differential.values import Document, Serial

Rows = Sequence[Sequence[Any]]

_SCRIPT = Path(__file__).parents[1] / "javascript" / "every_file.js"


def by_openpyxl(path: Path, _: Sequence[Kind]) -> Rows:
    """XLSX. It leaves the escapes of control characters."""
    [sheet] = openpyxl.load_workbook(path).worksheets
    return [
        [unescape(value) if isinstance(value, str) else value for value in row]
        for row in sheet.iter_rows(min_row=2, values_only=True)
    ]


def by_calamine(path: Path, _: Sequence[Kind]) -> Rows:
    """XLSX. What is empty and what is an empty text is the same to it."""
    [name] = (book := CalamineWorkbook.from_path(str(path))).sheet_names
    _, *rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    return rows


def by_duckdb_csv(path: Path, kinds: Sequence[Kind]) -> Rows:
    """CSV, gzipped or not, every field as its text; a quoted empty one is not null."""
    columns = {"id": "VARCHAR"} | {f"c{number}": "VARCHAR" for number in range(len(kinds))}
    with duckdb.connect() as connection:
        return connection.execute(
            "SELECT * FROM read_csv(?, columns = ?, header = true, delim = ',', quote = '\"',"
            " escape = '\"', nullstr = '', allow_quoted_nulls = false, auto_detect = false,"
            " new_line = '\\r\\n')",
            [str(path), columns],
        ).fetchall()


def by_python(path: Path, kinds: Sequence[Kind]) -> Rows:
    """JSON lines, by Python's own parser: numbers with all their digits."""
    lines = gzip.decompress(path.read_bytes()).decode().removesuffix("\n").split("\n")
    rows = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in lines]
    return [
        [
            Document(value) if kind is Kind.JSON and value is not None else value
            for kind, value in zip([Kind.INTEGER, *kinds], row.values(), strict=True)
        ]
        for row in rows
    ]


def by_duckdb_json(path: Path, kinds: Sequence[Kind]) -> Rows:
    """JSON lines. It makes doubles of numbers."""
    columns = {"id": "JSON"} | {f"c{number}": "JSON" for number in range(len(kinds))}
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT * FROM read_json(?, columns = ?, format = 'newline_delimited')",
            [str(path), columns],
        ).fetchall()
    return [[value and json.loads(value) for value in row] for row in rows]


def by_pyarrow(path: Path, _: Sequence[Kind]) -> Rows:
    """Parquet."""
    table = pq.read_table(path)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def by_duckdb_parquet(path: Path, _: Sequence[Kind]) -> Rows:
    """Parquet."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()


#: By the format of a file: who reads it here, and who in JavaScript. The first one counts.
READERS: Mapping[str, Mapping[str, Callable[[Path, Sequence[Kind]], Rows]]] = {
    "xlsx": {"openpyxl": by_openpyxl, "calamine": by_calamine},
    "csv": {"duckdb": by_duckdb_csv},
    "csv.gz": {"duckdb": by_duckdb_csv},
    "jsonl.gz": {"python": by_python, "duckdb": by_duckdb_json},
    "parquet": {"pyarrow": by_pyarrow, "duckdb": by_duckdb_parquet},
}
IN_JAVASCRIPT = {"xlsx": ("sheetjs", "exceljs"), "parquet": ("hyparquet",)}


def by_javascript(files: Sequence[tuple[str, Path]]) -> list[Rows]:
    """What one process of Node finds in `files`, each by the reader that stands before it."""
    done = subprocess.run(
        ["node", _SCRIPT, *(f"{reader}={path}" for reader, path in files)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr.decode()}\nInstalled? Run tests/install-servers."
    lines = io.BytesIO(done.stdout).readlines()
    return [[[_of_json(value) for value in row] for row in json.loads(line)] for line in lines]


def _of_json(value: Any) -> Any:
    if isinstance(value, dict) and "serial" in value:
        return Serial(value["serial"])
    if isinstance(value, dict) and "date" in value:
        return dt.datetime.fromisoformat(value["date"]).replace(tzinfo=None)
    if isinstance(value, dict) and "base64" in value:
        return base64.b64decode(value["base64"])
    return value
