"""One task submitted, claimed and worked on, in the test's own thread."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy.engine import Engine

from exporter.csv_profiles import EXCEL
from exporter.datasets import ROWS, Dataset, Registry
from exporter.ports import RowCounter, Source
from exporter.principal import Principal
from infra.flight_keys import FlightKeys
from infra.forecasts import Forecasts
from infra.sources.timed_count import TimedCounter
from infra.tasks.history import TaskHistory
from infra.tasks.model import NewTask, Task
from infra.tasks.requests import TaskRequests
from infra.tasks.runs import TaskRuns
from infra.worker.attempt import Attempt, WorkerDoors
from storage.store import ObjectStore
from tests.contract.task_store import LEASE


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
    """`user`'s task after its first attempt. `counter` is what forecasts ask, if not the source."""
    doors = WorkerDoors(
        runs=TaskRuns(tasks, LEASE),
        store=store,
        sources={ROWS: source},
        registry=Registry({dataset.name: dataset}),
        forecasts=Forecasts(TaskHistory(tasks), {ROWS: TimedCounter(counter or source)}),
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
