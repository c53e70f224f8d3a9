"""One task submitted, claimed and worked on, in the test's own thread."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy.engine import Engine

from tests.support.task_store import LEASE, Worker
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.ports import RowCounter, Source
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.estimates.estimator import Estimator
from waybill.infra.estimates.history import TaskHistory
from waybill.infra.estimates.timed_count import TimedCounter
from waybill.infra.sources.names import ROWS
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import NewTask, Task
from waybill.infra.worker.attempt import Attempt
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
    registry = Registry({dataset.name: dataset})
    counters = {ROWS: TimedCounter(counter or source)}
    settings = load(
        lease=LEASE,
        stall=LEASE,
        retention=timedelta(days=1),
        link_ttl=timedelta(minutes=1),
        retry_delays="0.001",
        max_rows_per_export=10_000,
    )
    with Stack(
        settings,
        registry=registry,
        engine=tasks,
        store=store,
        sources={ROWS: source},
        estimator=Estimator(TaskHistory(tasks), counters),
    ) as stack:
        dependencies = stack.worker_dependencies()
    requests = TaskRequests(tasks)
    task = requests.submit(user, new).task
    claim = Worker(tasks).claim(task.id, "worker")
    assert claim is not None
    asyncio.run(Attempt(dependencies, claim).run())
    return requests.get(user, task.id)
