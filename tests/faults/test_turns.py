"""Turns and caps with a real worker: what a cap held back begins when it may, unasked."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.support.eventually import eventually
from tests.support.fault_lab import QUEUES, open_lab
from tests.support.task_store import ANN, BOB, Worker, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import audit_log, export_task

#: The sweeper looks for forgotten tasks after a lease: long after these tests have ended.
NO_SWEEPER = {"lease": 600}
STRANGER = Principal("zoe", "other")


@pytest.fixture
def lab(tmp_path, tasks_url):
    limits = {"max_running_per_tenant": 3, "max_running_per_user": 2, "concurrency": 4}
    with open_lab(tmp_path, tasks_url, **NO_SWEEPER, **limits) as lab:
        yield lab


def ask(lab, user, number, queue=QUEUES[0]):
    name = str(number)
    new = new_task(task_type=queue, queue=queue, format="csv", params={}, asked_filename=name)
    return lab.requests.submit(user, new).task.id


def running(lab) -> int:
    query = sa.select(sa.func.count()).where(export_task.c.status == "PROCESSING")
    with read_transaction(lab.engine) as connection:
        return connection.execute(query).scalar_one()


def most_at_once(lab, users) -> int:
    """The most exports of `users` that ran at one time, by the audit log."""
    a, t = audit_log.c, export_task.c
    query = (
        sa.select(a.action)
        .join(export_task, t.id == a.task_id)
        .where(t.created_by.in_(users), a.action.in_(["claim", "finish"]))
        .order_by(a.at, a.id)
    )
    most = now = 0
    with read_transaction(lab.engine) as connection:
        for action in connection.execute(query).scalars():
            now += 1 if action == "claim" else -1
            most = max(most, now)
    return most


async def test_r14_capped_exports_all_run_without_a_sweeper(lab):
    tasks = [ask(lab, user, n, queue) for n in range(4) for user in (ANN, BOB) for queue in QUEUES]
    async with lab.worker():
        await lab.at_the_gate(3)
        assert running(lab) == 3
        lab.source.gate.set()
        rows = [await lab.ended(task_id) for task_id in tasks]
    assert {row["status"] for row in rows} == {"SUCCESS"}
    assert most_at_once(lab, ["ann", "bob"]) <= 3
    assert most_at_once(lab, ["ann"]) <= 2
    lab.audit()


async def test_r14_a_tenants_one_export_does_not_wait_for_anothers_flood(tmp_path, tasks_url):
    with open_lab(tmp_path, tasks_url, **NO_SWEEPER, concurrency=1) as lab:
        flood = [ask(lab, ANN, n) for n in range(40)]
        async with lab.worker():
            await lab.at_the_gate()
            small = ask(lab, STRANGER, 0)
            lab.source.gate.set()
            await lab.ended(small)
            began = [row["started_at"] for row in map(lab.row, flood) if row["started_at"]]
            assert sum(at < lab.row(small)["started_at"] for at in began) <= 2
            for task_id in flood:
                if lab.row(task_id)["status"] == "PENDING":
                    lab.requests.cancel(ANN, task_id)
            await eventually(lambda: running(lab) == 0)
        lab.audit()


async def test_a_cap_does_not_outlive_the_worker_that_filled_it(tmp_path, tasks_url):
    """Its leases end, and what waited behind it goes on."""
    with open_lab(tmp_path, tasks_url, max_running_per_user=2) as lab:
        dead = Worker(lab.engine, timedelta(seconds=0.5))
        tasks = [ask(lab, ANN, n) for n in range(4)]
        for _ in range(2):
            dead.claim_next(QUEUES[0], "dead")
        lab.source.gate.set()
        async with lab.worker():
            rows = [await lab.ended(task_id) for task_id in tasks]
        assert {row["status"] for row in rows} == {"SUCCESS"}
        lab.audit()


async def test_an_export_with_more_rows_than_allowed_fails_for_good(tmp_path, tasks_url):
    with open_lab(tmp_path, tasks_url, max_rows_per_export=19) as lab:
        lab.source.gate.set()
        task_id = lab.submit()
        async with lab.worker():
            row = await lab.ended(task_id)
        assert (row["status"], row["error_code"], row["attempt"]) == ("FAILED", "limit_exceeded", 1)
        assert "19" in row["error_message"]
        lab.audit()
