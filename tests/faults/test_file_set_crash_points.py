"""F134: several workers write one set of Parquet files, and lose each other.

The undisturbed set is written once by one worker; each other one has to be the same, byte by byte.
"""

from __future__ import annotations

import io
import os
import signal

import httpx2
import pyarrow.parquet as pq
import pytest

from tests.support.eventually import wait_for
from tests.support.fault_bench import died, end, kill, kill_at
from tests.support.keyed_exports import SHARDED
from tests.support.pauses import Pause
from tests.support.stored_keys import stored_keys

pytestmark = pytest.mark.usefixtures("keys")

ROWS, OF_A_SHARD = 300_000, 50_000
SHARDS = SHARDED | {"WAYBILL_SHARD_ROWS": str(OF_A_SHARD)}
WORKER = ("--queue", "quick")
TASKS = "/api/export-tasks"


def ask(bench, tag: str) -> str:
    return bench.submit("keyed", chosen="parquet", rows=ROWS, tag=tag)


def written(bench, task_id) -> set[int]:
    return {shard["number"] for shard in bench.shards(task_id) if shard["state"] == "DONE"}


def writers(bench, task_id) -> set[str]:
    return {shard["lease_owner"] for shard in bench.shards(task_id) if shard["lease_owner"]}


def listed(bench, task_id):
    return bench.client.get(f"{TASKS}/{task_id}/files").json()


def digests(bench, task_id) -> list[str]:
    return [file["sha256"] for file in listed(bench, task_id)["items"]]


def numbers_in(file) -> list[int]:
    """The keys in one file, fetched by its link."""
    content = httpx2.get(file["url"], timeout=30).content
    keys: list[int] = pq.read_table(io.BytesIO(content))["n"].to_pylist()
    return keys


@pytest.fixture(scope="module")
def undisturbed(api) -> list[str]:
    """The digests of the files that one worker writes alone. The manifest has the moment, too."""
    with api.worker(*WORKER, **SHARDS):
        (row,) = api.ended(ask(api, "alone"))
    assert (row["status"], row["files"]) == ("SUCCESS", ROWS // OF_A_SHARD), row["error_message"]
    files = listed(api, str(row["id"]))["items"]
    assert [n for file in files for n in numbers_in(file)] == list(range(1, ROWS + 1))
    api.audit()
    return [file["sha256"] for file in files]


@pytest.mark.parametrize("point", ["shard.before_file", "shard.written", "shard.recorded"])
def test_f134_a_helper_that_dies_here_costs_one_file_and_changes_none(
    api, clean, undisturbed, point
):
    pause = Pause(clean.folder)
    with clean.worker(*WORKER, **SHARDS | pause.at()), pause:
        task_id = ask(clean, point)
        wait_for(lambda: clean.shards(task_id))
        died(clean.start("worker", *WORKER, **SHARDS | kill_at(point)))
        pause.end()
        (row,) = clean.ended(task_id)
    assert (row["status"], row["attempt"], digests(clean, task_id)) == ("SUCCESS", 1, undisturbed)
    clean.audit()


def test_f134_another_worker_goes_on_with_the_files_when_the_first_dies_among_them(
    api, clean, undisturbed
):
    pause = Pause(clean.folder)
    with clean.worker(*WORKER, **SHARDS | pause.at("shard.recorded")) as owner, pause:
        task_id = ask(clean, "among them")
        wait_for(lambda: written(clean, task_id))
        # It waits for the other one, which is to hold the snapshot before it is lost.
        with clean.worker(*WORKER, **SHARDS) as other:
            wait_for(lambda: any(f"-{other.pid}-" in name for name in clean.holders(task_id)))
            kill(owner)
            before = written(clean, task_id)
            (row,) = clean.ended(task_id)
    assert (row["status"], row["attempt"], digests(clean, task_id)) == ("SUCCESS", 2, undisturbed)
    assert before <= written(clean, task_id)
    clean.audit()


@pytest.mark.parametrize("point", ["w.before_complete", "w.after_complete"])
def test_f134_another_worker_goes_on_with_the_files_when_the_first_dies_here(
    api, clean, undisturbed, point
):
    pause = Pause(clean.folder)
    with clean.worker(*WORKER, **SHARDS | kill_at(point) | pause.at()) as owner, pause:
        task_id = ask(clean, point)
        wait_for(lambda: clean.shards(task_id))
        with clean.worker(*WORKER, **SHARDS) as other:
            wait_for(lambda: any(f"-{other.pid}-" in name for name in clean.holders(task_id)))
            pause.end()
            died(owner)
            before = written(clean, task_id)
            (row,) = clean.ended(task_id)
    assert (row["status"], row["attempt"], digests(clean, task_id)) == ("SUCCESS", 2, undisturbed)
    assert before <= written(clean, task_id)
    clean.audit()


def test_f134_a_frozen_helper_that_thaws_when_its_file_is_written_corrupts_nothing(
    api, clean, undisturbed
):
    pause = Pause(clean.folder)
    with clean.worker(*WORKER, **SHARDS | pause.at()), pause:
        task_id = ask(clean, "frozen")
        wait_for(lambda: clean.shards(task_id))
        helper = clean.start("worker", *WORKER, **SHARDS | pause.at())
        try:
            wait_for(lambda: len(writers(clean, task_id)) > 1)
            os.kill(helper.pid, signal.SIGSTOP)
            pause.end()
            (row,) = clean.ended(task_id)
        finally:
            os.kill(helper.pid, signal.SIGCONT)
        # It lives, and finds that its shard is another one's.
        small = clean.submit("numbers", rows=10)
        clean.ended(small)
        end(helper)
    assert (row["status"], row["attempt"], digests(clean, task_id)) == ("SUCCESS", 1, undisturbed)
    clean.audit()


def test_f134_files_can_be_fetched_before_the_manifest_and_go_with_a_cancelled_task(api, clean):
    pause = Pause(clean.folder)
    with clean.worker(*WORKER, **SHARDS | pause.at("shard.recorded")), pause:
        task_id = ask(clean, "cancelled")
        wait_for(lambda: written(clean, task_id))
        found = listed(clean, task_id)
        assert (found["partial"], found["manifest_url"]) == (True, None)
        assert 0 < found["ready"] < found["count"] == len(found["items"])
        first = found["items"][0]
        assert numbers_in(first) == list(range(1, first["rows"] + 1))
        clean.cancel(task_id)
        pause.end()
        (row,) = clean.ended(task_id)
        assert row["status"] == "CANCELLED"
    clean.audit()
    assert stored_keys(clean.store) == []


def test_f134_a_deleted_set_leaves_no_object(api, clean):
    with clean.worker(*WORKER, **SHARDS):
        task_id = ask(clean, "deleted")
        clean.ended(task_id)
    found = listed(clean, task_id)
    assert (found["partial"], found["ready"]) == (False, ROWS // OF_A_SHARD)
    assert len(stored_keys(clean.store)) == found["count"] + 1
    assert clean.client.delete(f"{TASKS}/{task_id}").status_code == 204
    clean.accepted.remove(task_id)
    clean.audit()
    assert stored_keys(clean.store) == []
