"""Exports that are sets of files: written by the worker's own code, read by DuckDB and PyArrow."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow.dataset as ds
import pytest
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset
from waybill.infra.sources import open_source
from waybill.infra.tasks.file_sets import FileSets, file_key, is_set
from waybill.infra.tasks.tree_digest import tree_digest
from waybill.storage.memory import MemoryStore

ROWS, OF_A_SHARD = 3_000, 1_000
NUMBERED = sa.table("numbered", sa.column("id"), sa.column("city"))
SMALL: dict[str, Any] = {"shard_from_rows": 2_000, "shard_rows": OF_A_SHARD}

TABLES = """
    CREATE TABLE numbered (id int PRIMARY KEY, city text);
    INSERT INTO numbered SELECT n, 'c' || n FROM generate_series(1, 3000) AS n;
    ANALYZE;
"""


@pytest.fixture(scope="module")
def url(postgres_server) -> Iterator[str]:
    """A database with a table, which the tests only read."""
    with postgres_server.database_of(TABLES) as url:
        yield url


@pytest.fixture
def export(url, tmp_path):
    """Export the table in a format; returns the task, the store and the files on record."""

    def run(format_name: str, options=None, *, equal_parts: bool = False, **settings):
        dataset = Dataset("orders", lambda _params, _user: sa.select(NUMBERED))
        store = MemoryStore(equal_parts=equal_parts)
        with sqlite_tables(tmp_path) as tasks:
            new = new_task(format=format_name, params={}, options=options)
            task = run_attempt(
                tasks, store, open_source(url), dataset, ANN, new, **SMALL | settings
            )
            assert task.status == "SUCCESS", task.error_message
            return task, store, FileSets(tasks).of(task)

    return run


def test_a_large_parquet_export_is_a_set_of_whole_files_and_their_manifest(export, tmp_path):
    task, store, files = export("parquet")
    assert (task.files, task.rows_written) == (3, ROWS)
    assert is_set(task.object_key)
    manifest_bytes = store.read(task.object_key)
    manifest = json.loads(manifest_bytes)
    keys = [file_key(task.object_key, number) for number in range(3)]
    assert store.stored_keys() == sorted([task.object_key, *keys])
    contents = [store.read(key) for key in keys]

    assert {**manifest, "files": None, "snapshot": None} == {
        "format": "parquet",
        "version": 1,
        "dataset": "orders",
        "title": "orders",
        "complete": True,
        "snapshot": None,
        "timezone": "UTC",
        "rows": ROWS,
        "bytes": sum(map(len, contents)),
        "columns": [{"name": "id", "type": "int32"}, {"name": "city", "type": "string"}],
        "about": {},
        "warnings": [],
        "files": None,
    }
    assert manifest["snapshot"] == task.snapshot_at.isoformat(timespec="seconds")
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    assert manifest["files"] == [
        {
            "name": f"part-0000{number}.parquet",
            "rows": OF_A_SHARD,
            "bytes": len(content),
            "sha256": digest,
        }
        for number, content, digest in zip((1, 2, 3), contents, digests, strict=True)
    ]
    assert [(file.name, file.rows, file.size_bytes, file.sha256) for file in files] == [
        (item["name"], item["rows"], item["bytes"], item["sha256"]) for item in manifest["files"]
    ]
    own = hashlib.sha256(manifest_bytes).hexdigest()
    assert task.sha256 == tree_digest([*digests, own])
    assert task.size_bytes == manifest["bytes"] + len(manifest_bytes)
    assert "manifest.json" in task.download_url

    for item, content in zip(manifest["files"], contents, strict=True):
        (tmp_path / item["name"]).write_bytes(content)
    paths = [str(tmp_path / item["name"]) for item in manifest["files"]]
    expected = [(n, f"c{n}") for n in range(1, ROWS + 1)]
    with duckdb.connect() as connection:
        read = connection.execute("SELECT id, city FROM read_parquet(?)", [paths]).fetchall()
    assert read == expected
    table = ds.dataset(paths, format="parquet").to_table().to_pydict()
    assert list(zip(table["id"], table["city"], strict=True)) == expected


def test_who_wants_one_file_says_so(export):
    task, store, files = export("parquet", {"sharding": {"never": True}})
    assert (task.files, files, store.stored_keys()) == (None, [], [task.object_key])


def test_where_parts_have_to_be_equal_every_format_in_shards_is_a_set(export):
    task, store, files = export("csv.gz", equal_parts=True)
    assert (task.files, len(files)) == (3, 3)
    lines: list[str] = []
    for file in files:
        heading, *rest = gzip.decompress(store.read(file.key)).decode("utf-8-sig").splitlines()
        assert heading == '"id","city"'
        lines += rest
    assert [int(line.split(",")[0]) for line in lines] == list(range(1, ROWS + 1))
    manifest = json.loads(store.read(task.object_key))
    assert manifest["columns"] == [
        {"name": "id", "type": "integer"},
        {"name": "city", "type": "string"},
    ]


def test_the_same_rows_make_the_same_files(export):
    first, _, files = export("parquet")
    again, _, same = export("parquet")
    assert [file.sha256 for file in files] == [file.sha256 for file in same]
    assert first.id != again.id


def test_a_small_export_is_one_file(export):
    task, _, files = export("parquet", shard_from_rows=10_000)
    assert (task.files, files) == (None, [])
