"""One type's flood and one type's endless export leave the other type alone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.eventually import wait_for
from tests.support.servers.rabbitmq import PATIENCE_SECONDS

FLOOD = 100
#: The broker looks for unacknowledged messages every second.
LONGER_THAN_THE_BROKER_WAITS = PATIENCE_SECONDS + 3


@pytest.fixture(scope="module")
def long_export(api, rabbitmq_server):
    """An export that runs while the other tests do, in a worker with two slots for its queue."""
    with rabbitmq_server.impatient(), api.worker():
        task_id = api.submit("slow", seconds=LONGER_THAN_THE_BROKER_WAITS, tag="long")
        wait_for(lambda: api.is_running(task_id))
        yield task_id


def test_a_flood_of_one_type_leaves_the_latency_of_the_other_unchanged(bench, long_export):
    quiet = latency(bench, "quiet")
    with ThreadPoolExecutor(4) as threads:
        flood = list(
            threads.map(lambda n: bench.submit("slow", seconds=20, tag=str(n)), range(FLOOD))
        )
        wait_for(lambda: any(bench.is_running(task_id) for task_id in flood))
        flooded = latency(bench, "flooded")
        statuses = [row["status"] for row in bench.rows(*flood)]
        assert set(statuses) <= {"PENDING", "PROCESSING"}, "the flood was over too soon"
        # A second for the noise of a machine that just took a hundred requests.
        assert flooded < 2 * quiet + 1, f"{quiet:.2f} s, and {flooded:.2f} s in the flood"
        assert {answer.status_code for answer in threads.map(bench.cancel, flood)} == {202}
    bench.ended(*flood)


def test_an_export_longer_than_the_brokers_patience_is_done_once(bench, long_export):
    (task,) = bench.ended(long_export, seconds=3 * LONGER_THAN_THE_BROKER_WAITS)
    assert (task["status"], task["attempt"], task["rows_written"]) == ("SUCCESS", 1, 10)
    assert (task["finished_at"] - task["started_at"]).seconds >= LONGER_THAN_THE_BROKER_WAITS - 1
    assert bench.actions(long_export) == ["submit", "claim", "finish"]
    bench.audit()


def latency(bench, tag: str) -> float:
    """Seconds from the request for a small export to its file."""
    begun = time.monotonic()
    (task,) = bench.ended(bench.submit("numbers", tag=tag))
    assert task["status"] == "SUCCESS"
    return time.monotonic() - begun
