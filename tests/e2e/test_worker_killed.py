"""SIGKILL in the middle of an export: a restarted worker finishes it, and nothing is left over."""

from __future__ import annotations

import signal

import httpx2

from tests.support.eventually import wait_for
from tests.support.processes import api, ended, process
from tests.support.stored_keys import stored_keys

ROWS = 1_000_000
#: A second or two of work after the first part of the upload, which is when it is hit: texts that
#: hardly shrink, and rows that PostgreSQL does not store first, as it does those of a function in
#: FROM.
BIG_DATASET = """
import sqlalchemy as sa
from waybill import dataset

@dataset("big")
def big(params, user):
    numbers = sa.select(sa.func.generate_series(1, {rows}).label("n")).subquery()
    return sa.select(numbers.c.n, sa.func.md5(sa.cast(numbers.c.n, sa.Text)).label("text"))
"""


def test_f18_a_killed_worker_loses_nothing_and_leaves_nothing(installation, rabbitmq_url, tmp_path):
    datasets = tmp_path / "big.py"
    datasets.write_text(BIG_DATASET.format(rows=ROWS))
    # With a broker, API and worker are processes of their own.
    env = installation.env | {"WAYBILL_DATASETS": str(datasets), "WAYBILL_AMQP_URL": rabbitmq_url}
    log = installation.log
    with api(env, log) as client:
        task_id = client.post(
            "/api/export-tasks", json={"type": "big", "format": "xlsx", "params": {}}
        ).json()["id"]
        with process(env, log, "worker") as worker:
            wait_for(lambda: list(installation.store.list_uploads()))
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        assert client.get(f"/api/export-tasks/{task_id}").json()["status"] == "PROCESSING"
        assert list(installation.store.list_uploads()), "the dead attempt's upload is still open"

        with process(env, log, "worker"):
            task = ended(client, task_id)
            assert task["status"] == "SUCCESS", task
            assert (task["attempt"], task["retry_count"], task["rows"]) == (2, 1, ROWS)
            wait_for(lambda: not list(installation.store.list_uploads()))
        keys = stored_keys(installation.store)
        assert len(keys) == 1
        link = client.get(
            f"/api/export-tasks/{task_id}/download", headers={"Accept": "application/json"}
        ).json()["url"]
    assert len(httpx2.get(link).content) == task["size_bytes"]


def test_g13_a_stopped_worker_gives_its_task_back_at_once(installation, rabbitmq_url, tmp_path):
    datasets = tmp_path / "big.py"
    datasets.write_text(BIG_DATASET.format(rows=10 * ROWS))
    env = installation.env | {
        "WAYBILL_DATASETS": str(datasets),
        "WAYBILL_LEASE_SECONDS": "60",
        "WAYBILL_SHUTDOWN_GRACE": "0.2",
        "WAYBILL_AMQP_URL": rabbitmq_url,
    }
    with api(env, installation.log) as client:
        body = {"type": "big", "format": "csv", "params": {}}
        task_id = client.post("/api/export-tasks", json=body).json()["id"]
        with process(env, installation.log, "worker") as worker:
            wait_for(lambda: list(installation.store.list_uploads()))
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        task = client.get(f"/api/export-tasks/{task_id}").json()
    assert (task["status"], task["attempt"]) == ("PENDING", 0)
    assert not list(installation.store.list_uploads())
    assert not stored_keys(installation.store)
