"""Faults of one attempt: cancelled (F29), hung (F25), starved, rescued while alive (F23)."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

import waybill
from tests.support.eventually import eventually
from tests.support.fault_lab import LEASE_SECONDS, ROWS, GatedSource, open_lab
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.stored_keys import stored_keys
from tests.support.task_store import ANN
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.runs import TaskRuns
from waybill.infra.tasks.model import TaskConflict
from waybill.infra.worker.sweeper import Sweeper


@pytest.fixture
def lab(tmp_path, tasks_url):
    with open_lab(tmp_path, tasks_url) as lab:
        yield lab


async def test_f29_a_cancelled_export_stops_in_the_middle_of_its_rows(lab, caplog):
    task_id = lab.submit()
    async with lab.worker():
        await lab.at_the_gate()
        assert lab.requests.cancel(ANN, task_id).status == "PROCESSING"
        row = await lab.ended(task_id)
    # In mid-read: the gate was never opened for it.
    assert (row["status"], row["attempt"]) == ("CANCELLED", 1)
    assert not list(lab.store.list_uploads())
    lab.audit(caplog.text)


async def test_f29_a_cancel_between_complete_and_commit_wins_and_the_object_goes(lab, monkeypatch):
    finish = TaskRuns.finish

    def cancelled_just_before(runs, claim, done):
        assert lab.store.head(done.object_key)
        lab.requests.cancel(ANN, claim.task.id)
        return finish(runs, claim, done)

    monkeypatch.setattr(TaskRuns, "finish", cancelled_just_before)
    lab.source.gate.set()
    task_id = lab.submit()
    async with lab.worker():
        row = await lab.ended(task_id)
    assert row["status"] == "CANCELLED"
    assert not stored_keys(lab.store)
    lab.audit()


async def test_f29_a_finished_export_cannot_be_cancelled_and_keeps_its_file(lab, caplog):
    caplog.set_level(logging.INFO)
    lab.source.gate.set()
    task_id = lab.submit()
    async with lab.worker():
        row = await lab.ended(task_id)
    [ready, finished, ended] = [
        vars(record)
        for record in caplog.records
        if record.getMessage() in ("worker ready", "export finished", "worker ended")
    ]
    assert ready["version"] == waybill.__version__
    assert (finished["dataset"], finished["format"]) == (row["task_type"], row["format"])
    assert (finished["tenant"], finished["rows"]) == (row["tenant_id"], row["rows_written"])
    assert finished["seconds"] > 0
    assert ended["worker"] == ready["worker"]
    with pytest.raises(TaskConflict):
        lab.requests.cancel(ANN, task_id)
    assert lab.store.head(row["object_key"])
    lab.audit()


async def test_f25_a_hung_export_with_a_living_heartbeat_is_given_to_another_attempt(
    tmp_path, tasks_url, caplog
):
    with open_lab(tmp_path, tasks_url, source=GatedSource(deaf=True), stall=1) as lab:
        task_id = lab.submit()
        async with lab.worker():
            await lab.at_the_gate(2)
            assert lab.row(task_id)["error_code"] == "stalled"
            # The first read comes back to life as well, and finds that its task is another's.
            lab.source.gate.set()
            row = await lab.ended(task_id)
        assert (row["status"], row["attempt"], row["rows_written"]) == ("SUCCESS", 2, ROWS)
        assert "export stalled" in caplog.text
        lab.audit(caplog.text)


async def test_exports_that_fill_every_slot_do_not_starve_their_leases(tmp_path, tasks_url):
    """The event loop's pool has six threads on two cores, and a heartbeat needs one of them."""
    with open_lab(tmp_path, tasks_url, concurrency=16) as lab:
        tasks = [lab.submit() for _ in range(16)]
        async with lab.worker():
            await lab.at_the_gate(16)
            await asyncio.sleep(2 * LEASE_SECONDS)
            lab.source.gate.set()
            rows = [await lab.ended(task_id) for task_id in tasks]
        assert {(row["status"], row["attempt"]) for row in rows} == {("SUCCESS", 1)}
        lab.audit()


async def test_f23_a_scanner_never_rescues_a_slow_worker_that_renews(
    tmp_path, postgres_server, tasks_url
):
    with TcpProxy(postgres_server.port) as proxy:
        proxy.delay(0.02)
        way = tasks_url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        # Longer than elsewhere: that a starved machine renews in time is not what is shown.
        with open_lab(tmp_path, tasks_url, workers_way=way, lease=2 * LEASE_SECONDS) as lab:
            task_id, maintenance = lab.submit(), Maintenance(lab.engine)
            async with lab.worker():
                await lab.at_the_gate()
                for _ in range(60):
                    assert maintenance.rescue_expired_leases(timedelta(0)) == 0
                    await asyncio.sleep(0.1)
                lab.source.gate.set()
                row = await lab.ended(task_id)
            assert (row["status"], row["attempt"], row["fence"]) == ("SUCCESS", 1, 1)
            lab.audit()


async def test_f58_collecting_orphans_leaves_a_slow_upload_alone_until_it_lost_its_claim(lab):
    task_id = lab.submit()
    sweeper = Sweeper(
        Maintenance(lab.engine), lab.store, lease=timedelta(minutes=1), retry_in=timedelta(0)
    )
    async with lab.worker():
        await lab.at_the_gate()
        await asyncio.to_thread(sweeper.sweep)
        (upload,) = lab.store.list_uploads()
        assert lab.row(task_id)["status"] == "PROCESSING"
        lab.source.gate.set()
        row = await lab.ended(task_id)
        await eventually(lambda: not list(lab.store.list_uploads()))
    assert (row["status"], row["object_key"]) == ("SUCCESS", upload.key)
    lab.audit()


async def test_f57_a_recorded_link_never_outlives_its_file(tmp_path, tasks_url):
    week = timedelta(days=7)
    with open_lab(tmp_path, tasks_url, link_ttl=week, retention=timedelta(days=1)) as lab:
        lab.source.gate.set()
        task_id = lab.submit()
        async with lab.worker():
            row = await lab.ended(task_id)
        assert row["url_expires_at"] <= row["expires_at"]


async def test_f57_a_file_is_there_until_its_retention_ends(lab):
    lab.source.gate.set()
    task_id = lab.submit()
    async with lab.worker():
        row = await lab.ended(task_id)
    maintenance = Maintenance(lab.engine)
    sweeper = Sweeper(maintenance, lab.store, lease=timedelta(minutes=1), retry_in=timedelta(0))
    sweeper.sweep()
    assert lab.store.head(row["object_key"])
    with write_transaction(lab.engine) as connection:
        connection.execute(sa.update(export_task).values(expires_at=datetime.now(UTC)))
    sweeper.sweep()
    assert lab.store.head(row["object_key"]) is None
    assert (lab.row(task_id)["status"], lab.row(task_id)["download_url"]) == ("EXPIRED", None)
    lab.audit()
