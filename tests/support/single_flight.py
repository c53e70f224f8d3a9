"""Helpers for tests of single flight."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import sqlalchemy as sa

from tests.support.task_store import ANN, LEASE, Worker, finished, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import audit_log, export_task, storage_object
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import SingleFlight
from waybill.infra.tasks.outbox import Outbox

HOUR = timedelta(hours=1)
CID = Principal("cid", "acme", frozenset({"sales"}))
ELSEWHERE = Principal("ann", "other", frozenset({"sales"}))
PEOPLE = [Principal(f"user-{number}", "acme") for number in range(30)]
KEY = "k" * 64


class Desk:
    """Users who ask, and a worker."""

    def __init__(self, engine) -> None:
        self.engine = engine
        self.requests, self.runs = TaskRequests(engine), Worker(engine, LEASE)
        self.maintenance = Maintenance(engine)

    def ask(self, user=ANN, *, key=KEY, reuse=timedelta(0), least=timedelta(0), **change):
        flight = SingleFlight(key, reuse, least)
        return self.requests.submit(user, new_task(single_flight=flight, **change))

    def task(self, user=ANN, **change):
        return self.ask(user, **change).task

    def seen(self, task, user):
        return self.requests.get(user, task.id)

    def finish(self, task, key="object", **change):
        claim = self.runs.claim(task.id, "w")
        self.runs.reserve_object(claim, key)
        change = {"flight_key": KEY} | change
        assert self.runs.finish(claim, finished(key, **change))

    def change(self, task, **values):
        with write_transaction(self.engine) as connection:
            wanted = export_task.c.id == task.id
            connection.execute(sa.update(export_task).where(wanted).values(**values))

    def actions(self, task):
        with read_transaction(self.engine) as connection:
            query = sa.select(audit_log.c.action).where(audit_log.c.task_id == task.id)
            return list(connection.execute(query.order_by(audit_log.c.id)).scalars())

    def objects(self):
        with read_transaction(self.engine) as connection:
            rows = connection.execute(sa.select(storage_object.c.key, storage_object.c.state))
            return dict(rows.all())


def wake_ups(engine):
    return [(item.wake_up.task_id, item.wake_up.kind) for item in Outbox(engine).take()]


def all_at_once(*jobs):
    """Run `jobs` in threads that start together; what they returned."""
    barrier = threading.Barrier(len(jobs))

    def run(job):
        barrier.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as threads:
        return list(threads.map(run, jobs))
