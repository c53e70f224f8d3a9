"""An export in shards goes on where it was when the worker that has its task is lost (F115, F116).

The undisturbed file is written once by one worker; each other one has to be the same, byte by byte.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.eventually import wait_for
from tests.support.fault_bench import died, end, kill, kill_at
from tests.support.keyed_exports import SHARDED, judge, written_alone
from tests.support.pauses import Pause

pytestmark = pytest.mark.usefixtures("keys")

ROWS, OF_A_SHARD = 800_000, 100_000
SHARDS = SHARDED | {"WAYBILL_SHARD_ROWS": str(OF_A_SHARD)}
WORKER = ("--queue", "quick")


def ask(bench, tag: str, name: str = "keyed") -> str:
    return bench.submit(name, chosen="csv.gz", rows=ROWS, tag=tag)


def written(bench, task_id) -> dict[int, object]:
    """The claims under which shards were written that are done now."""
    return {s["number"]: s["claim_id"] for s in bench.shards(task_id) if s["state"] == "DONE"}


def holds(bench, task_id, *processes) -> bool:
    """Whether each of these processes holds the snapshot."""
    pids = {int(name.split("-")[-2]) for name in bench.holders(task_id)}
    return {process.pid for process in processes} <= pids


def owner_of(bench, task_id, workers):
    """The process that has the task."""
    owner = bench.row(task_id)["lease_owner"]
    [process] = [worker for worker in workers if f"-{worker.pid}-" in owner]
    return process


@pytest.fixture(scope="module")
def undisturbed(api) -> str:
    """The digest of the file that one worker writes alone."""
    return written_alone(api, ask, SHARDS)


@pytest.mark.parametrize(
    ("point", "hit"),
    [("shard.recorded", 4), ("inside", 0), ("w.before_complete", 1), ("w.after_complete", 1)],
)
def test_f115_another_worker_goes_on_when_the_one_that_has_the_task_dies_here(
    api, clean, undisturbed, point, hit
):
    own, helpers = Pause(clean.folder), Pause(clean.folder)
    with clean.worker(*WORKER, **SHARDS | kill_at(point, hit) | own.at()) as owner, own:
        task_id = ask(clean, point)
        wait_for(lambda: clean.shards(task_id))
        with clean.worker(*WORKER, **SHARDS | helpers.at("shard.recorded")) as helper, helpers:
            wait_for(lambda: holds(clean, task_id, helper) and written(clean, task_id))
            own.end()
            if not hit:
                owner.kill()
            died(owner)
            assert holds(clean, task_id, helper)
            before = written(clean, task_id)
            helpers.end()
            (row,) = clean.ended(task_id)
    assert (row["status"], row["attempt"], row["sha256"]) == ("SUCCESS", 2, undisturbed)
    assert before
    assert before.items() <= written(clean, task_id).items()
    [resumed] = clean.details(task_id, "resume")
    assert resumed["shards_done"] >= len(before)
    clean.audit(judge)


def test_f115_the_snapshot_outlives_its_first_holder_and_its_second(api, clean, undisturbed):
    pause = Pause(clean.folder)
    settings = SHARDS | pause.at("w.before_complete")
    with clean.ready_workers(3, *WORKER, **settings) as workers, pause:
        task_id = ask(clean, "two holders")
        wait_for(lambda: holds(clean, task_id, *workers))
        wait_for(lambda: written(clean, task_id))
        for attempt in (1, 2):
            kill(owner_of(clean, task_id, workers))
            before = written(clean, task_id)
            wait_for(lambda n=attempt: len(clean.details(task_id, "resume")) == n)
            assert before.items() <= written(clean, task_id).items()
        pause.end()
        (row,) = clean.ended(task_id)
    assert (row["status"], row["attempt"], row["sha256"]) == ("SUCCESS", 3, undisturbed)
    clean.audit(judge)


def test_f115_when_nobody_holds_the_snapshot_the_export_begins_at_row_0_and_says_why(api, clean):
    pause = Pause(clean.folder)
    with clean.ready_workers(2, *WORKER, **SHARDS | pause.at("shard.recorded")) as workers:
        task_id = ask(clean, "all at once")
        wait_for(lambda: holds(clean, task_id, *workers) and written(clean, task_id))
        for worker in workers:
            worker.kill()
    assert clean.parts_missing(task_id) == set()
    with clean.worker(*WORKER, **SHARDS):
        (row,) = clean.ended(task_id)
    assert (row["status"], row["attempt"], row["rows_written"]) == ("SUCCESS", 2, ROWS)
    assert clean.details(task_id, "resume") == []
    [said] = clean.details(task_id, "start_over")
    assert said["why"] == "no session holds the snapshot any more"
    clean.audit(judge)


def test_f115_an_export_of_rows_that_stay_goes_on_without_any_of_its_workers(api, clean):
    with clean.worker(*WORKER, **SHARDS):
        (row,) = clean.ended(ask(clean, "alone", "log"))
    digest = row["sha256"]
    pause = Pause(clean.folder)
    with clean.ready_workers(2, *WORKER, **SHARDS | pause.at("shard.recorded")) as workers:
        task_id = ask(clean, "all at once", "log")
        wait_for(lambda: holds(clean, task_id, *workers) and written(clean, task_id))
        for worker in workers:
            worker.kill()
    before = written(clean, task_id)
    assert clean.parts_missing(task_id) == set()
    with clean.worker(*WORKER, **SHARDS):
        (row,) = clean.ended(task_id)
    assert (row["status"], row["attempt"], row["sha256"]) == ("SUCCESS", 2, digest)
    assert before.items() <= written(clean, task_id).items()
    clean.audit(judge)


@pytest.mark.parametrize("thaw", ["when taken over", "at the end"])
def test_f116_a_frozen_worker_that_thaws_after_it_was_replaced_ends_nothing(
    api, clean, undisturbed, thaw
):
    own, helpers = Pause(clean.folder), Pause(clean.folder)
    owner = clean.start("worker", *WORKER, **SHARDS | own.at())
    try:
        task_id = ask(clean, thaw)
        wait_for(lambda: clean.shards(task_id))
        with clean.worker(*WORKER, **SHARDS | helpers.at("shard.recorded")) as helper, helpers:
            wait_for(lambda: holds(clean, task_id, helper) and written(clean, task_id))
            os.kill(owner.pid, signal.SIGSTOP)
            own.end()
            helpers.end()
            if thaw == "when taken over":
                wait_for(lambda: clean.details(task_id, "resume"))
            else:
                clean.ended(task_id)
            os.kill(owner.pid, signal.SIGCONT)
            (row,) = clean.ended(task_id)
            # It lives, and works.
            small = clean.submit("numbers", rows=10)
            clean.ended(small)
            assert owner.poll() is None
    finally:
        own.end()
        os.kill(owner.pid, signal.SIGCONT)
        end(owner)
    assert (row["status"], row["attempt"], row["sha256"]) == ("SUCCESS", 2, undisturbed)
    clean.audit(judge)


def test_f116_a_worker_that_is_shut_down_leaves_what_it_wrote_to_the_next_one(
    api, clean, undisturbed
):
    pause = Pause(clean.folder)
    settings = SHARDS | pause.at("shard.recorded")
    with clean.ready_workers(2, *WORKER, **settings) as workers, pause:
        task_id = ask(clean, "shut down")
        wait_for(lambda: holds(clean, task_id, *workers) and written(clean, task_id))
        before = written(clean, task_id)
        pause.end()
        end(owner_of(clean, task_id, workers))
        (row,) = clean.ended(task_id)
    # A release counts as no attempt.
    assert (row["status"], row["attempt"], row["sha256"]) == ("SUCCESS", 1, undisturbed)
    assert before.items() <= written(clean, task_id).items()
    assert clean.details(task_id, "resume")
    clean.audit(judge)


def test_f116_a_cancellation_clears_up_what_a_lost_worker_left(api, clean):
    pause = Pause(clean.folder)
    with clean.worker(*WORKER, **SHARDS | pause.at("shard.recorded")) as worker:
        task_id = ask(clean, "cancelled")
        wait_for(lambda: written(clean, task_id))
        kill(worker)
        clean.cancel(task_id)
        # Another worker sweeps: the lease of the lost one ends.
        with clean.worker(*WORKER, **SHARDS):
            (row,) = clean.ended(task_id)
    assert row["status"] == "CANCELLED"
    assert clean.shards(task_id) == []
    clean.audit(judge)
