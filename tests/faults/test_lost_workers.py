"""A worker ends where its memory does, and takes no harmless export with it (F84, F107)."""

from __future__ import annotations

import signal
from itertools import pairwise

from tests.support.eventually import wait_for
from tests.support.out_of_memory import killed_beyond

MIB = 1 << 20


def test_f84_a_task_that_kills_its_worker_does_not_fail_those_beside_it(api, clean):
    """TORTURE2 6h: they ran together at every attempt, and all four failed."""
    beside = {"WAYBILL_CONCURRENCY": "4"}
    harmless = [clean.submit("slow", seconds=0.5, tag=str(number)) for number in range(3)]
    with clean.worker(**beside) as worker:
        wait_for(lambda: all(clean.is_running(task_id) for task_id in harmless))
        deadly = clean.submit("deadly")
        assert worker.wait(60) == -signal.SIGKILL
    while clean.row(deadly)["status"] != "FAILED":
        with clean.worker(**beside) as worker:
            wait_for(
                lambda worker=worker: (
                    worker.poll() is not None or clean.row(deadly)["status"] == "FAILED"
                )
            )
    with clean.worker(**beside):
        rows = clean.ended(*harmless)
        assert {row["status"] for row in rows} == {"SUCCESS"}
        # The one attempt that they lost was beside the deadly one.
        assert {row["attempt"] for row in rows} <= {1, 2}
        wait_for(lambda: len(clean.dead_letters()) == 1)
    assert clean.row(deadly)["attempt"] == 3
    clean.audit()


def test_f107_four_large_exports_in_little_memory_all_succeed(api, clean):
    """TORTURE2 6g: in 320 MiB the worker was killed each time, and all four failed."""
    little = {"WAYBILL_CONCURRENCY": "4", "WAYBILL_MEMORY": "240MiB"}
    with clean.worker(**little) as worker, killed_beyond(worker.pid, 320 * MIB):
        rows = clean.ended(
            *(clean.submit("numbers", rows=60_000, tag=str(number)) for number in range(4))
        )
        assert worker.poll() is None
    assert {(row["status"], row["attempt"]) for row in rows} == {("SUCCESS", 1)}
    # One at a time: four side by side pass the bound.
    in_order = sorted(rows, key=lambda row: row["started_at"])
    assert all(one["finished_at"] <= other["started_at"] for one, other in pairwise(in_order))
    clean.audit()
