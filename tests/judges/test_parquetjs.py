"""Our Parquet as two readers in JavaScript see it, with no package for another compression."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.encoded import encode_table
from waybill.exporter.formats.parquet import parquet_encoder
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as

_READER = Path(__file__).parent / "javascript" / "parquet.js"

_ROWS = pa.table(
    {
        "id": pa.array([1, 2**40], pa.int64()),
        "rate": [1.5, None],
        "city": ["Zürich", None],
        "paid": [True, False],
        "day": [date(2024, 1, 2), None],
        "at": pa.array(
            [datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), None], pa.timestamp("us", "UTC")
        ),
        "doc": ['{"a":[1,2]}', "null"],
    }
).cast(
    pa.schema(
        [
            ("id", pa.int64()),
            ("rate", pa.float64()),
            ("city", pa.string()),
            ("paid", pa.bool_()),
            ("day", pa.date32()),
            ("at", pa.timestamp("us", "UTC")),
            pa.field("doc", pa.string(), metadata=declared_as(DeclaredKind.JSON)),
        ]
    )
)
#: parquetjs-lite knows no decimals, and shows a list as its inner groups.
_MORE = {
    "total": pa.array([Decimal("9.10"), Decimal("-0.50")], pa.decimal128(10, 2)),
    "tags": pa.array([["x", None], []]),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("parquetjs")
    table = _ROWS
    for name, values in _MORE.items():
        table = table.append_column(name, values)
    paths = [folder / "all.parquet", folder / "plain.parquet"]
    for path, rows in zip(paths, (table, _ROWS), strict=True):
        path.write_bytes(encode_table(parquet_encoder(), rows)[0])
    done = subprocess.run(
        ["node", _READER, *paths], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{done.stderr}\nIs it installed? Run tests/install-servers."
    return json.loads(done.stdout)


@pytest.mark.parametrize("reader", ["hyparquet", "parquetjs"])
def test_fc30_readers_in_javascript_read_every_value(
    found: dict[str, list[dict[str, Any]]], reader: str
) -> None:
    first, second = found[reader]
    assert (str(first["id"]), str(second["id"])) == ("1", str(2**40))
    assert (first["rate"], first["city"], first["paid"]) == (1.5, "Zürich", True)
    assert (second.get("rate"), second.get("city"), second["paid"]) == (None, None, False)
    assert first["day"] == "2024-01-02T00:00:00.000Z"
    assert first["at"] == "2024-01-02T03:04:05.000Z"
    assert (first["doc"], second["doc"]) == ({"a": [1, 2]}, None)


def test_hyparquet_reads_decimals_and_lists(found: dict[str, list[dict[str, Any]]]) -> None:
    first, second = found["hyparquet"]
    assert (first["total"], second["total"]) == (9.1, -0.5)
    assert (first["tags"], second["tags"]) == (["x", None], [])
