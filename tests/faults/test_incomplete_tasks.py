"""A task whose file would not be complete fails, and a real store keeps nothing of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.attempts import run_attempt
from tests.support.tampering import (
    MUTATIONS,
    Mutation,
    Tamper,
    TamperedSender,
    TamperedSource,
    flip,
    leave,
)
from tests.support.task_store import ANN, new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset, Query
from waybill.exporter.ports import RowCount
from waybill.infra.sources import open_source
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import TaskStatus
from waybill.storage import multipart
from waybill.storage.parts import MIN_PART_BYTES
from waybill.storage.s3 import S3Store

#: Rows that no compression makes small: the file is 11 MB, in three parts.
_FILL = """
    CREATE TABLE notes AS
    WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 2000)
    SELECT id, hex(randomblob(5000)) AS note FROM n
"""
NOTES = sa.table("notes", sa.column("id"), sa.column("note"))


class SmallParts:
    """A real store, with the smallest parts it takes."""

    def __init__(self, store: S3Store) -> None:
        self._store = store
        self.keys: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open_upload(self, key: str, *, content_type: str, expected_bytes: int) -> Any:
        assert expected_bytes > 0
        self.keys.append(key)
        return self._store.open_upload(key, content_type=content_type, part_bytes=MIN_PART_BYTES)

    def leftovers(self) -> list[Any]:
        """Objects and open uploads of the keys that were used."""
        objects = [key for key in self.keys if self._store.head(key)]
        return objects + [item for key in self.keys for item in self._store.list_uploads(key)]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("notes") / "notes.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql(_FILL)
    engine.dispose()
    return f"sqlite:///{path}"


@pytest.fixture
def tasks(tmp_path: Path) -> Iterator[Engine]:
    with sqlite_tables(tmp_path) as engine:
        yield engine


@pytest.fixture
def store(s3_store: S3Store) -> SmallParts:
    return SmallParts(s3_store)


class Unasked:
    def count(self, query: Query, *, within: timedelta) -> RowCount:
        return RowCount()


def run_task(tasks: Engine, store: SmallParts, source: Any) -> Task:
    """The task after its only attempt."""
    orders = Dataset("orders", lambda params, user: sa.select(NOTES))
    return run_attempt(
        tasks, store, source, orders, ANN, new_task(params={}, max_attempts=1), counter=Unasked()
    )


def assert_failed(task: Task, store: SmallParts, code: str) -> None:
    assert (task.status, task.error_code) == (TaskStatus.FAILED, code)
    assert (task.object_key, task.sha256, task.rows_written) == (None, None, None)
    assert len(store.keys) == 1
    assert store.leftovers() == []


def test_an_untouched_export_succeeds(tasks: Engine, store: SmallParts, notes: str) -> None:
    task = run_task(tasks, store, open_source(notes))
    assert task.status == TaskStatus.SUCCESS
    assert task.rows_source == task.rows_written == 2_000
    assert store.leftovers() == [task.object_key]
    assert store.head(task.object_key).size_bytes == task.size_bytes > 2 * MIN_PART_BYTES


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_batches_tampered_with_fail_the_task(
    tasks: Engine, store: SmallParts, notes: str, mutate: Mutation
) -> None:
    source = TamperedSource(open_source(notes), Tamper(mutate, []))
    assert_failed(run_task(tasks, store, source), store, "incomplete_export")


@pytest.mark.parametrize("mutate", [leave, *MUTATIONS])
def test_parts_tampered_with_fail_the_task(
    tasks: Engine, store: SmallParts, notes: str, mutate: Mutation, monkeypatch
) -> None:
    monkeypatch.setattr(TamperedSender, "tamper", Tamper(mutate, []), raising=False)
    monkeypatch.setattr(multipart, "PartSender", TamperedSender)
    task = run_task(tasks, store, open_source(notes))
    assert TamperedSender.tamper.passed == [3]
    if mutate is leave:
        assert task.status == TaskStatus.SUCCESS
    else:
        assert_failed(task, store, "checksum_mismatch")


def test_parts_that_arrive_damaged_fail_the_task(
    tasks: Engine, store: SmallParts, notes: str, monkeypatch
) -> None:
    """The store refuses a part three times: its checksum was taken before the damage."""
    body_of = SimpleNamespace(BytesIO=lambda body: io.BytesIO(flip(body)))
    monkeypatch.setattr(multipart, "io", body_of)
    task = run_task(tasks, store, open_source(notes))
    assert_failed(task, store, "checksum_mismatch")
