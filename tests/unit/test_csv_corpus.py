"""Every cell of the hostile corpus through the CSV and JSON lines encoders and back."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tests.corpus.cells import CELLS, ZONE, CellCase
from tests.support.csv_fields import csv_fields
from tests.support.encoded import encode_table
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.formats.jsonl import encode_jsonl_gzip

LAYOUT = Layout(timezone=ZONE)


@pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)
def test_csv_shows_each_hostile_value_as_documented(case: CellCase):
    # A second column, since a line without anything on it could not show a NULL.
    table = case.table.append_column("row", pa.array(range(len(case.array))))

    data, _ = encode_table(csv_encoder(), table, LAYOUT)

    lines = csv_fields(data.decode("utf-8-sig"))
    assert lines[0] == ["value", "row"]
    fields = [line[0] for line in lines[1:]]
    assert [_as_expected(*pair) for pair in zip(fields, case.csv, strict=True)] == list(case.csv)


@pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)
def test_json_lines_show_each_hostile_value_as_documented(case: CellCase):
    data, _ = encode_table(encode_jsonl_gzip, case.table, LAYOUT)

    lines = gzip.decompress(data).decode().split("\n")
    assert lines.pop() == ""
    values = [json.loads(line, parse_float=Decimal)["value"] for line in lines]
    assert [_as_expected(*pair) for pair in zip(values, case.jsonl, strict=True)] == list(
        case.jsonl
    )


def _as_expected(found: Any, expected: Any) -> Any:
    """`found` read as the corpus says its kind is to be read."""
    if isinstance(expected, Decimal):
        return found if str(found) == str(expected) else str(found)
    if isinstance(found, Decimal) and isinstance(expected, float | int):
        return float(found)
    if isinstance(found, str) and isinstance(expected, float):
        return float(found)
    if isinstance(found, str) and isinstance(expected, datetime | date | time):
        return type(expected).fromisoformat(found)
    return found
