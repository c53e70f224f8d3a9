"""After its worker was lost, a task runs alone, and takes no harmless one with it (F84)."""

from __future__ import annotations

import signal

from tests.support.eventually import wait_for


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
