"""The task database refuses, hangs, restarts or is locked (F32, F33, F52): nobody is misled."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.support.eventually import eventually, wait_for
from tests.support.guarded import claim_waits_for_its_database
from tests.support.servers.task_api import ask, running_api
from tests.support.servers.tcp_proxy import TcpProxy
from waybill.infra.tasks.lifecycle.scheduler import FairScheduler

LOCKED_SECONDS = 5

HOLD_THE_WRITER_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize("fault", [TcpProxy.refuse, TcpProxy.blackhole])
async def test_f33_a_worker_without_its_database_stops_before_its_lease_ends(
    outage_lab, database_proxy, fault, caplog
):
    lab, proxy = outage_lab, database_proxy
    task_id = lab.submit()
    async with lab.worker():
        await lab.at_the_gate()
        fault(proxy)
        await eventually(lambda: lab.source.interrupted)
        # The row as it was when the worker was cut off: nobody else may have it yet.
        row = lab.row(task_id)
        assert lab.source.interrupted[0] < row["lease_expires_at"]
        assert row["status"] == "PROCESSING"
        proxy.heal()
        await lab.at_the_gate(2)
        lab.source.gate.set()
        row = await lab.ended(task_id)
    assert (row["status"], row["attempt"]) == ("SUCCESS", 2)
    lab.audit(caplog.text)


async def test_f33_a_claim_waits_for_its_database_and_makes_no_dead_letter(
    outage_lab, database_proxy, monkeypatch
):
    await claim_waits_for_its_database(outage_lab, database_proxy, monkeypatch)


async def test_f33_a_worker_that_waits_to_claim_can_be_stopped(outage_lab, monkeypatch):
    lab = outage_lab
    lab.source.gate.set()
    async with lab.worker():
        begun = []

        def claim(*arguments, **options):
            begun.append(arguments)
            raise sa.exc.OperationalError("claim", {}, OSError("away"))

        monkeypatch.setattr(FairScheduler, "claim_next", claim)
        task_id = lab.submit()
        await eventually(lambda: begun)
        asked = time.monotonic()
    assert time.monotonic() - asked < 5
    assert lab.row(task_id)["status"] == "PENDING"


def test_f32_a_database_that_crashes_in_mid_cursor_costs_an_attempt(api, clean, postgres_server):
    with clean.worker():
        task_id = clean.submit("slow", seconds=3)
        wait_for(lambda: clean.row(task_id)["snapshot_at"])
        first = clean.row(task_id)["snapshot_at"]
        postgres_server.stop(immediate=True)
        crashed = datetime.now(UTC)
        postgres_server.start()
        # The API has dead connections in its pool, and answers all the same.
        other = wait_for(lambda: submitted(clean))
        task, small = clean.ended(task_id), clean.ended(other)
    assert {row["status"] for row in (*task, *small)} == {"SUCCESS"}
    assert task[0]["attempt"] == 2
    assert first < crashed < task[0]["snapshot_at"]
    clean.audit()


def submitted(bench) -> str | None:
    try:
        return bench.submit("numbers")
    except AssertionError:
        return None


def test_f52_a_locked_sqlite_database_is_waited_for(tmp_path):
    path = tmp_path / "tasks.db"
    with (
        running_api(f"sqlite:///{path}", tmp_path) as api,
        subprocess.Popen(
            [sys.executable, "-c", HOLD_THE_WRITER_LOCK, str(path), str(LOCKED_SECONDS)],
            stdout=subprocess.PIPE,
        ) as holder,
    ):
        assert holder.stdout.readline() == b"locked\n"
        person, begun = api.person(), time.monotonic()
        # Readers do not wait for the writer.
        assert person.get("/api/export-tasks").json()["total"] == 0
        assert time.monotonic() - begun < LOCKED_SECONDS / 2
        assert ask(person)["status"] == "PENDING"
        waited = timedelta(seconds=time.monotonic() - begun)
        assert waited > timedelta(seconds=LOCKED_SECONDS - 1)
        api.close()
