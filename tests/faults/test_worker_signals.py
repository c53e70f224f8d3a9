"""Signals to a worker: frozen and thawed (F22), killed by its export (F28), told twice (F50)."""

from __future__ import annotations

import signal

from tests.support.eventually import wait_for
from tests.support.fault_bench import end, kill_at


def test_f22_a_frozen_worker_that_thaws_changes_nothing_and_takes_only_its_own_away(api, clean):
    # One slot: a frozen worker with a free one would also hold the next message for a while.
    with clean.worker("--concurrency", "1") as zombie:
        task_id = clean.submit("numbers", rows=1_500_000)
        wait_for(lambda: any(item.endswith("(open)") for item in clean.files()))
        zombie.send_signal(signal.SIGSTOP)
        try:
            stale = clean.row(task_id)["fence"]
            with clean.worker():
                (heirs,) = clean.ended(task_id)
        finally:
            zombie.send_signal(signal.SIGCONT)
        # It finds out at its next heartbeat, or when a part of its upload is refused.
        wait_for(lambda: f'"task": "{task_id}", "attempt": 1' in clean.log.read_text())
        assert clean.row(task_id) == heirs
    assert (heirs["status"], heirs["attempt"]) == ("SUCCESS", 2)
    assert heirs["fence"] > stale
    assert clean.files() == [heirs["object_key"]]
    clean.audit()


def test_f28_a_task_that_kills_its_process_fails_after_its_attempts_and_others_proceed(api, clean):
    deadly = clean.submit("deadly")
    for _ in range(3):
        # As a supervisor would: start it again whenever it has died.
        with clean.worker() as worker:
            assert worker.wait(60) == -signal.SIGKILL
    with clean.worker():
        (other,) = clean.ended(clean.submit("numbers"))
        (task,) = clean.ended(deadly)
        assert (other["status"], other["attempt"]) == ("SUCCESS", 1)
        assert (task["status"], task["attempt"]) == ("FAILED", 3)
        assert task["error_code"] == "worker_lost"
        wait_for(lambda: len(clean.dead_letters()) == 1)
    clean.audit()


def test_f50_a_second_sigterm_ends_a_worker_at_once_and_loses_nothing(api, clean):
    grace = {"WAYBILL_SHUTDOWN_GRACE": "60"}
    with clean.worker(**grace) as worker:
        task_id = clean.submit("slow", seconds=6)
        wait_for(lambda: clean.is_running(task_id))
        worker.send_signal(signal.SIGTERM)
        # It takes no more, and works on.
        other = clean.submit("numbers")
        wait_for(lambda: clean.actions(other) == ["submit"] and clean.is_running(task_id))
        assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == -signal.SIGTERM
    assert clean.is_running(task_id)
    with clean.worker():
        rows = clean.ended(task_id, other)
    assert {row["status"] for row in rows} == {"SUCCESS"}
    clean.audit()


def test_g13_an_export_that_ends_within_the_grace_is_not_done_twice(api, clean):
    grace = {"WAYBILL_SHUTDOWN_GRACE": "60"}
    with clean.worker(**grace) as worker:
        task_id = clean.submit("slow", seconds=1)
        wait_for(lambda: clean.is_running(task_id))
        end(worker)
    assert worker.returncode == 0
    (task,) = clean.rows(task_id)
    assert (task["status"], task["attempt"]) == ("SUCCESS", 1)
    clean.audit()


def test_a_cancel_while_a_worker_dies_after_complete_leaves_no_object(api, clean):
    """F29 in two processes: the worker's last act is an object, and nobody may want it."""
    with clean.worker(**kill_at("w.after_complete")) as worker:
        task_id = clean.submit("numbers")
        worker.wait(60)
    assert clean.cancel(task_id).status_code == 202
    with clean.worker():
        (task,) = clean.ended(task_id)
        wait_for(lambda: clean.files() == [])
    assert task["status"] == "CANCELLED"
    clean.audit()
