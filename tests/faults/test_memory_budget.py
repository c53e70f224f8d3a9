"""One memory budget for all exports of a worker (F106), rows without room in it (F105), and what
took a worker down before (F84)."""

from __future__ import annotations

import sqlite3
import threading
from itertools import pairwise

import pytest
import sqlalchemy as sa

from tests.support.attempts import run_attempt
from tests.support.fault_lab import QUEUES, open_lab
from tests.support.task_store import ANN, new_task
from waybill.exporter.datasets.dataset import Dataset
from waybill.infra.sources import open_source
from waybill.storage.memory import MemoryStore, MemoryUpload
from waybill.storage.parts import MIN_PART_BYTES


async def test_f106_what_memory_has_no_room_for_waits_unclaimed_and_then_runs(tmp_path):
    database = f"sqlite:///{tmp_path}/tasks.db"
    with open_lab(tmp_path, database, memory="240MiB", concurrency=4, lease=600) as lab:
        asked = [lab.submit(queue) for _ in range(2) for queue in QUEUES]
        async with lab.worker():
            await lab.at_the_gate()
            statuses = [lab.row(task_id)["status"] for task_id in asked]
            assert sorted(statuses) == ["PENDING", "PENDING", "PENDING", "PROCESSING"]
            lab.source.gate.set()
            rows = [await lab.ended(task_id) for task_id in asked]
        assert {(row["status"], row["attempt"]) for row in rows} == {("SUCCESS", 1)}
        in_order = sorted(rows, key=lambda row: row["started_at"])
        assert all(one["finished_at"] <= other["started_at"] for one, other in pairwise(in_order))
        # A place goes from queue to queue.
        assert {row["queue"] for row in in_order[:2]} == set(QUEUES)
        lab.audit()


def test_f105_a_row_without_room_is_the_fault_of_its_task_and_not_tried_again(
    tmp_path, sqlite_engine, monkeypatch
):
    monkeypatch.setenv("WAYBILL_MEMORY", "64MiB")
    with sqlite3.connect(tmp_path / "rows.db") as rows:
        rows.execute(
            "CREATE TABLE letters AS SELECT 7 AS id, printf('%.*c', 17000000, 'x') AS body"
        )
    query = sa.select(sa.column("id"), sa.column("body")).select_from(sa.table("letters"))
    dataset = Dataset("letters", lambda params, user: query)
    store = MemoryStore()
    new = new_task(task_type="letters", format="csv", params={})
    source = open_source(f"sqlite:///{tmp_path}/rows.db")
    task = run_attempt(sqlite_engine, store, source, dataset, ANN, new)
    assert (task.status, task.attempt, task.error_code) == ("FAILED", 1, "row_too_large")
    assert "Row 1 takes 16.2 MiB" in task.error_message
    assert "in the column 'body'" in task.error_message
    assert store.stored_keys() == []


class WatchedStore(MemoryStore):
    """Knows how many threads rendered while a file was written."""

    rendering = 0

    def open_upload(self, key, *, content_type, expected_bytes=None, part_bytes=None):
        return WatchedUpload(self, key, content_type, part_bytes or MIN_PART_BYTES)

    def look(self) -> None:
        names = [thread.name for thread in threading.enumerate()]
        now = sum(name.startswith("waybill-render") for name in names)
        self.rendering = max(self.rendering, now)


class WatchedUpload(MemoryUpload):
    def __init__(self, store: WatchedStore, *arguments) -> None:
        super().__init__(store, *arguments)
        self._look = store.look

    def write(self, data) -> None:
        self._look()
        super().write(data)


@pytest.mark.parametrize("chosen", ["csv", "jsonl.gz", "xlsx"])
def test_f84_what_took_its_worker_down_is_rendered_on_one_thread(tmp_path, sqlite_engine, chosen):
    with sqlite3.connect(tmp_path / "rows.db") as rows:
        rows.execute("CREATE TABLE numbers (id INTEGER, body TEXT)")
        rows.executemany(
            "INSERT INTO numbers VALUES (?, ?)", ((n, f"{n:0200d}") for n in range(60_000))
        )
    query = sa.select(sa.column("id"), sa.column("body")).select_from(sa.table("numbers"))
    dataset = Dataset("numbers", lambda params, user: query)
    source = open_source(f"sqlite:///{tmp_path}/rows.db")
    files = []
    for run_alone in (False, True):
        store = WatchedStore()
        new = new_task(task_type="numbers", format=chosen, params={})
        task = run_attempt(
            sqlite_engine,
            store,
            source,
            dataset,
            ANN,
            new,
            run_alone=run_alone,
            max_rows_per_export=100_000,
        )
        assert task.status == "SUCCESS", task.error_message
        assert store.rendering == 1 or not run_alone
        files.append(store.read(task.object_key))
    assert files[0] == files[1]
