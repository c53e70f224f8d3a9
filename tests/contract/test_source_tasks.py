"""A worker exports a dataset of each source; where rows cannot be counted, the task says so."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.source_databases import (
    KINDS,
    NUMBERS,
    SourceDatabase,
    source_database,
)
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset
from waybill.storage.memory import MemoryStore

ROWS = 700


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SourceDatabase]:
    with source_database(request.param, request, tmp_path) as database:
        yield database


def test_a_task_has_all_rows_and_the_count_of_its_source(
    database: SourceDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYBILL_HOME", str(tmp_path / "home"))
    query = sa.select(NUMBERS.c.n, NUMBERS.c.note).where(NUMBERS.c.n < ROWS).order_by(NUMBERS.c.n)
    dataset = Dataset("numbers", lambda _params, _user: query)
    store = MemoryStore()

    with sqlite_tables(tmp_path) as tasks:
        new = new_task(task_type="numbers", format="csv.gz", params={}, filename="numbers.csv.gz")
        task = run_attempt(tasks, store, database.source, dataset, ANN, new)

    assert task.status == "SUCCESS", task
    assert (task.rows_source, task.rows_written) == (database.expected(ROWS), ROWS)
    lines = gzip.decompress(store.read(str(task.object_key))).decode("utf-8-sig").splitlines()
    assert [line.partition(",")[0] for line in lines[1:]] == [str(n) for n in range(ROWS)]
