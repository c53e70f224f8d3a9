"""One export by many workers: the same bytes from any worker, and none is lost (F110).

The larger shards have several parts, so that workers die inside shards and between them.
"""

from __future__ import annotations

import os
import random
import signal
from contextlib import ExitStack

import pytest

from tests.support.eventually import wait_for
from tests.support.fault_bench import died, end, kill, kill_at
from tests.support.keyed_exports import SHARDED, judge, written_alone
from tests.support.pauses import Pause
from tests.support.servers.tcp_proxy import TcpProxy

STOPPED = "claims stopped: a part of the installation is away"
pytestmark = pytest.mark.usefixtures("keys")

ROWS, OF_A_SHARD = 800_000, 350_000
SHARDS = SHARDED | {"WAYBILL_SHARD_ROWS": str(OF_A_SHARD)}
WORKER = ("--queue", "quick")


def ask(bench, tag: str) -> str:
    return bench.submit("keyed", chosen="csv.gz", rows=ROWS, tag=tag)


def workers_of(bench, task_id) -> set[str]:
    return {shard["lease_owner"] for shard in bench.shards(task_id) if shard["lease_owner"]}


@pytest.fixture(scope="module")
def undisturbed(api) -> str:
    """The digest of the file that one worker writes alone."""
    return written_alone(api, ask, SHARDS)


def test_f110_many_workers_write_the_same_bytes_as_one(api, clean, undisturbed):
    pause = Pause(clean.folder)
    with clean.ready_workers(3, *WORKER, **SHARDS | pause.at("shard.recorded")), pause:
        task_id = ask(clean, "three")
        # Each has written a shard, and waits.
        wait_for(lambda: len(workers_of(clean, task_id)) == 3)
        pause.end()
        (row,) = clean.ended(task_id)
    assert (row["sha256"], row["attempt"]) == (undisturbed, 1), clean.shards(task_id)
    clean.audit(judge)


@pytest.mark.parametrize("seed", range(3))
def test_f110_workers_that_are_killed_at_random_change_no_byte(api, clean, undisturbed, seed):
    chance = random.Random(seed)  # noqa: S311 - to repeat a failure
    with ExitStack() as processes:

        def start():
            return processes.enter_context(clean.worker(*WORKER, **SHARDS))

        running = [start(), start()]
        task_id = ask(clean, f"killed {seed}")
        for _ in range(2):
            victim = chance.randrange(2)
            known = clean.row(task_id)["rows_done"]
            wait_for(
                lambda known=known: (
                    not clean.live(task_id)
                    or clean.row(task_id)["rows_done"] > known + chance.randrange(150_000)
                )
            )
            kill(running[victim])
            running[victim] = start()
        (row,) = clean.ended(task_id)
    assert row["status"] == "SUCCESS"
    # If nobody held the snapshot any more, the next attempt ran alone, and as one.
    assert row["sha256"] == undisturbed or row["attempt"] > 1
    clean.audit(judge)


@pytest.mark.parametrize("point", ["w.batch", "shard.written", "shard.recorded"])
def test_f110_a_helper_that_dies_here_costs_one_shard(api, clean, undisturbed, point):
    pause = Pause(clean.folder)
    with clean.worker(*WORKER, **SHARDS | pause.at()), pause:
        task_id = ask(clean, point)
        wait_for(lambda: clean.shards(task_id))
        died(clean.start("worker", *WORKER, **SHARDS | kill_at(point)))
        pause.end()
        (row,) = clean.ended(task_id)
    assert (row["sha256"], row["attempt"]) == (undisturbed, 1), clean.shards(task_id)
    clean.audit(judge)


@pytest.mark.parametrize("point", ["shard.recorded", "w.before_complete", "w.after_complete"])
def test_f110_the_worker_that_has_the_task_dies_here(api, clean, point):
    task_id = ask(clean, point)
    died(clean.start("worker", *WORKER, **SHARDS | kill_at(point)))
    with clean.worker(*WORKER, **SHARDS):
        (row,) = clean.ended(task_id)
    assert (row["status"], row["attempt"]) == ("SUCCESS", 2)
    clean.audit(judge)


def test_f110_a_frozen_helper_that_thaws_when_its_shard_is_redone_corrupts_nothing(
    api, clean, undisturbed
):
    pause = Pause(clean.folder)
    with clean.worker(*WORKER, **SHARDS | pause.at()) as first, pause:
        task_id = ask(clean, "frozen")
        wait_for(lambda: clean.shards(task_id))
        helper = clean.start("worker", *WORKER, **SHARDS | pause.at())
        wait_for(lambda: len(workers_of(clean, task_id)) > 1)
        os.kill(helper.pid, signal.SIGSTOP)
        frozen = {s["number"]: s["claim_id"] for s in clean.shards(task_id)}
        pause.end()
        wait_for(
            lambda: (
                any(frozen[s["number"]] not in (None, s["claim_id"]) for s in clean.shards(task_id))
                or not clean.live(task_id)
            ),
        )
        os.kill(helper.pid, signal.SIGCONT)
        (row,) = clean.ended(task_id)
        assert first.poll() is None
        end(helper)
    assert (row["sha256"], row["attempt"]) == (undisturbed, 1), clean.shards(task_id)
    clean.audit(judge)


def test_f132_a_helper_without_the_store_stops_claiming_and_the_export_goes_on(
    api, clean, s3_config
):
    own, helpers = Pause(clean.folder), Pause(clean.folder)
    with (
        TcpProxy(int(s3_config.endpoint_url.rsplit(":", 1)[1])) as store,
        clean.worker(*WORKER, **SHARDS | own.at()),
        own,
    ):
        task_id = ask(clean, "helper")
        wait_for(lambda: clean.shards(task_id))
        away = {"WAYBILL_S3_ENDPOINT_URL": f"http://127.0.0.1:{store.port}"}
        with clean.worker(*WORKER, **SHARDS | away | helpers.at()), helpers:
            wait_for(lambda: len(workers_of(clean, task_id)) > 1)
            store.refuse()
            helpers.end()
            wait_for(lambda: STOPPED in clean.log.read_text())
            own.end()
            (row,) = clean.ended(task_id)
        # It waits with one line, instead of failing at one shard after the other.
        assert clean.log.read_text().count(STOPPED) == 1
    assert (row["status"], row["attempt"]) == ("SUCCESS", 1)
    assert '"shard not written"' in clean.log.read_text()
    clean.audit(judge)


def test_f110_a_cancellation_reaches_every_worker(api, clean):
    pause = Pause(clean.folder)
    with clean.ready_workers(2, *WORKER, **SHARDS | pause.at()), pause:
        task_id = ask(clean, "cancelled")
        wait_for(lambda: len(workers_of(clean, task_id)) > 1)
        clean.cancel(task_id)
        pause.end()
        (row,) = clean.ended(task_id)
        assert row["status"] == "CANCELLED"
        small = clean.submit("keyed", chosen="csv.gz", rows=10)
        clean.ended(small)
    clean.audit(judge)
