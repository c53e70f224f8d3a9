"""One task submitted, claimed and worked on, in the test's own thread."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy.engine import Engine

from tests.support.task_store import LEASE
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.formats.csv.profiles import EXCEL
from waybill.exporter.ports import RowCounter, Source
from waybill.infra.config.settings import ROWS
from waybill.infra.estimates.estimator import Estimator
from waybill.infra.estimates.history import TaskHistory
from waybill.infra.estimates.timed_count import TimedCounter
from waybill.infra.exports.single_flight_key import FlightKeys
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.lifecycle.runs import TaskRuns
from waybill.infra.tasks.model import NewTask, Task
from waybill.infra.worker.attempt import Attempt, WorkerDoors
from waybill.storage.store import ObjectStore


def run_attempt(
    tasks: Engine,
    store: ObjectStore,
    source: Source,
    dataset: Dataset,
    user: Principal,
    new: NewTask,
    *,
    counter: RowCounter | None = None,
) -> Task:
    """`user`'s task after its first attempt. `counter` is what estimates ask, if not the source."""
    doors = WorkerDoors(
        runs=TaskRuns(tasks, LEASE),
        store=store,
        sources={ROWS: source},
        registry=Registry({dataset.name: dataset}),
        estimator=Estimator(TaskHistory(tasks), {ROWS: TimedCounter(counter or source)}),
        lease=LEASE,
        stall=LEASE,
        retention=timedelta(days=1),
        link_ttl=timedelta(minutes=1),
        retry_ladder=(timedelta(0),),
        timezone="UTC",
        csv_profile=EXCEL,
        flights=FlightKeys({ROWS: tasks.dialect}, "UTC", EXCEL.name),
        max_rows=10_000,
    )
    requests = TaskRequests(tasks)
    task = requests.submit(user, new).task
    claim = doors.runs.claim(task.id, "worker")
    assert claim is not None
    asyncio.run(Attempt(doors, claim).run())
    return requests.get(user, task.id)
