"""One task submitted, claimed and worked on, in the test's own thread."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, LEASE, Worker, new_task
from tests.support.task_tables import sqlite_tables
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.ports import RowCounter, Source
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.db.tables import export_task
from waybill.infra.estimates.estimator import Estimator
from waybill.infra.estimates.history import TaskHistory
from waybill.infra.estimates.timed_count import TimedCounter
from waybill.infra.sources import open_source
from waybill.infra.sources.names import ROWS
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import NewTask, Task
from waybill.infra.worker.attempt import Attempt
from waybill.storage.memory import MemoryStore
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
    run_alone: bool = False,
    **changed: Any,
) -> Task:
    """`user`'s task after its first attempt. `counter` is what estimates ask, if not the source.

    `changed` are settings, in place of those here. With `run_alone`, the task is one that took its
    worker down before.
    """
    registry = Registry({dataset.name: dataset})
    counters = {ROWS: TimedCounter(counter or source)}
    usual: dict[str, Any] = {
        "lease": LEASE,
        "stall": LEASE,
        "retention": timedelta(days=1),
        "link_ttl": timedelta(minutes=1),
        "retry_delays": "0.001",
        "max_rows_per_export": 10_000,
    }
    settings = load(**usual | changed)
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
    with tasks.begin() as connection:
        connection.execute(sa.update(export_task).values(run_alone=run_alone))
    claim = Worker(tasks).claim(task.id, "worker")
    assert claim is not None
    try:
        asyncio.run(Attempt(dependencies, claim).run())
    finally:
        dependencies.holders.close()
    return requests.get(user, task.id)


def exported(
    url: str,
    folder: Path,
    query: sa.Select[Any],
    format_name: str,
    *,
    options: dict[str, Any] | None = None,
    settings: dict[str, Any],
    **of_dataset: Any,
) -> tuple[Task, bytes]:
    """The task of an export of `query` on the database of `url`, and its file."""
    dataset = Dataset("orders", lambda _params, _user: query, **of_dataset)
    store = MemoryStore()
    folder.mkdir(exist_ok=True)
    with sqlite_tables(folder) as tasks:
        new = new_task(format=format_name, params={}, options=options)
        done = run_attempt(tasks, store, open_source(url), dataset, ANN, new, **settings)
    assert done.status == "SUCCESS", done.error_message
    return done, store.read(done.object_key)
