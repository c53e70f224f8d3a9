"""A shard goes on inside when its worker is lost: at most one part is read again (F133).

The larger shard has several parts. The undisturbed file is written once; each other one has to be
the same, byte by byte.
"""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.support.eventually import wait_for
from tests.support.fault_bench import died, end, kill_at
from tests.support.keyed_exports import SHARDED, judge, written_alone
from tests.support.pauses import Pause
from waybill.exporter.formats.text_rows import ROWS_AT_ONCE

pytestmark = pytest.mark.usefixtures("keys")

ROWS, OF_A_SHARD = 600_000, 500_000
SHARDS = SHARDED | {"WAYBILL_SHARD_ROWS": str(OF_A_SHARD)}
WORKER = ("worker", "--queue", "quick")


def ask(bench, tag: str) -> str:
    return bench.submit("log", chosen="csv.gz", rows=ROWS, tag=tag)


def reached(bench, task_id) -> dict[int, dict]:
    """What is on record of shards that are being written."""
    return {s["number"]: s["reached"] for s in bench.shards(task_id) if s["reached"]}


def went_on(bench, task_id) -> list[int]:
    """At which rows workers went on inside shards of a task."""
    lines = [line for line in bench.log.read_text().splitlines() if "inside a shard" in line]
    found = [json.loads(line) for line in lines]
    return [line["rows"] for line in found if line["task"] == task_id]


@pytest.fixture(scope="module")
def undisturbed(api) -> str:
    """The digest of the file that one worker writes alone."""
    return written_alone(api, ask, SHARDS)


@pytest.mark.parametrize(
    ("point", "hit", "recorded"),
    [("shard.part", 2, 1), ("shard.reached", 2, 2), ("w.batch", 9, 1)],
)
def test_f133_another_worker_goes_on_behind_the_last_part(
    api, clean, undisturbed, point, hit, recorded
):
    task_id = ask(clean, point)
    died(clean.start(*WORKER, **SHARDS | kill_at(point, hit)))
    [(number, left)] = reached(clean, task_id).items()
    assert (number, len(left["parts"])) == (0, recorded)
    of_a_part = left["rows"] // recorded
    if point == "w.batch":
        # Two headers, of gzip and of the table, and runs of rows.
        assert 0 < (hit - 2) * ROWS_AT_ONCE - left["rows"] < of_a_part
    with clean.worker(*WORKER[1:], **SHARDS):
        (row,) = clean.ended(task_id)
    assert (row["status"], row["attempt"], row["sha256"]) == ("SUCCESS", 2, undisturbed)
    assert went_on(clean, task_id) == [left["rows"]]
    assert clean.shards(task_id)[0]["parts"][:recorded] == left["parts"]
    [resumed] = clean.details(task_id, "resume")
    assert resumed["rows"] == left["rows"]
    clean.audit(judge)


def test_f133_a_frozen_worker_that_thaws_when_its_shard_was_gone_on_with_corrupts_nothing(
    api, clean, undisturbed
):
    pause = Pause(clean.folder)
    frozen = clean.start(*WORKER, **SHARDS | pause.at("shard.reached"))
    try:
        task_id = ask(clean, "frozen")
        wait_for(lambda: reached(clean, task_id))
        os.kill(frozen.pid, signal.SIGSTOP)
        pause.end()
        with clean.worker(*WORKER[1:], **SHARDS):
            wait_for(lambda: clean.details(task_id, "resume"))
            os.kill(frozen.pid, signal.SIGCONT)
            (row,) = clean.ended(task_id)
            # It lives, and works.
            clean.ended(clean.submit("numbers", rows=10))
            assert frozen.poll() is None
    finally:
        pause.end()
        os.kill(frozen.pid, signal.SIGCONT)
        end(frozen)
    assert (row["status"], row["attempt"], row["sha256"]) == ("SUCCESS", 2, undisturbed)
    clean.audit(judge)
