"""Archives that a worker writes in shards: entry by entry what it writes in one piece."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.attempts import exported
from waybill import Sharding
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.tasks.tree_digest import is_tree_digest

#: A little more than one part of either archive.
ROWS = 1_060_000
TABLE = """
    CREATE TABLE many (id int PRIMARY KEY, city text);
    INSERT INTO many SELECT n, 'city ' || n % 1000 FROM generate_series(1, 1060000) AS n;
    ANALYZE;
"""
QUERY = sa.select(sa.table("many", sa.column("id"), sa.column("city")))
SETTINGS: dict[str, Any] = {
    "shard_from_rows": 2,
    "shard_rows": 50_000,
    "max_rows_per_export": ROWS,
    # However slow the machine is.
    "lease": timedelta(minutes=10),
    "stall": timedelta(minutes=10),
}


@pytest.fixture(scope="module")
def url(postgres_server) -> Iterator[str]:
    with postgres_server.database_of(TABLE) as url:
        yield url


def entries(data: bytes) -> dict[str, Any]:
    """The content of an archive, without the moment of its snapshot."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        found: dict[str, Any] = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(found["manifest.json"])
    assert manifest.pop("snapshot")
    return found | {"manifest.json": manifest}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["csv.zip", "xlsx.zip"])
def test_an_archive_in_shards_holds_what_one_piece_holds(url, tmp_path, name):
    task, data = exported(url, tmp_path / "shards", QUERY, name, settings=SETTINGS)
    one, whole = exported(
        url, tmp_path / "one", QUERY, name, settings=SETTINGS, sharding=Sharding(never=True)
    )
    assert (is_tree_digest(task.sha256), is_tree_digest(one.sha256)) == (True, False)
    assert task.rows_written == task.rows_source == ROWS
    assert entries(data) == entries(whole)
    assert len(entries(data)) == 3


@pytest.mark.slow
def test_parts_of_too_many_bytes_are_written_in_one_piece(url, tmp_path, monkeypatch):
    small = replace(FORMATS["csv.zip"], shards="tests.support.small_parts:csv_shards")
    monkeypatch.setitem(FORMATS, "csv.zip", small)
    task, data = exported(url, tmp_path, QUERY, "csv.zip", settings=SETTINGS)
    assert not is_tree_digest(task.sha256)
    assert task.rows_written == ROWS
    assert len(entries(data)) == 3
