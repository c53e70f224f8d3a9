"""The header and the rows of a file, in any format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from typing import Any

import openpyxl
import pyarrow.parquet as pq


def table_of(data: bytes, name: str, sheet: str = "Orders") -> list[list[Any]]:
    """The header and the rows of a file, in any format."""
    if name == "xlsx":
        return [list(row) for row in openpyxl.load_workbook(io.BytesIO(data))[sheet].values]
    if name.endswith("zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return table_of(archive.read(archive.namelist()[0]), name.removesuffix(".zip"), sheet)
    if name == "parquet":
        table = pq.read_table(io.BytesIO(data))
        return [table.column_names, *(list(row.values()) for row in table.to_pylist())]
    if name == "jsonl.gz":
        rows = [json.loads(line) for line in gzip.decompress(data).splitlines()]
        return [list(rows[0]), *(list(row.values()) for row in rows)]
    text = (gzip.decompress(data) if name.endswith("gz") else data).decode("utf-8-sig")
    return [
        [int(value) if value.isdigit() else value or None for value in row]
        for row in csv.reader(io.StringIO(text))
    ]
