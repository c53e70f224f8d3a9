"""An office whose exports have passwords: an API, its people, and a worker that runs on demand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import sqlalchemy as sa
from pydantic import BaseModel

from tests.support.servers.task_api import TASKS, TaskApi
from waybill.exporter.datasets.approval import Approval
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.workbook import made_of
from waybill.infra.bootstrap import Stack
from waybill.infra.db.tables import export_task, file_key
from waybill.infra.worker.attempt import Attempt

SECRETS: dict[str, Any] = {"type": "secrets", "format": "csv", "params": {}, "password": True}


class Which(BaseModel):
    which: str = "all"


def rows(params: BaseModel, user: object) -> sa.Select[Any]:
    return sa.select(sa.literal(params.model_dump_json()).label("doc"))


def failing(params: BaseModel, user: object) -> sa.Select[Any]:
    return sa.select(sa.column("nothing")).select_from(sa.table("no_such_table"))


def office_registry() -> Registry:
    """Plain datasets, one whose files always have a password, and one that cannot be read."""
    found = Registry()
    common: dict[str, Any] = {"params": Which, "queue": "orders", "roles": {"hr"}}
    found.add(Dataset("secrets", rows, reuse_for=timedelta(hours=1), **common))
    found.add(Dataset("salaries", rows, password=True, **common))
    found.add(Dataset("broken", failing, **common))
    found.add(Dataset("reviews", rows, approval=Approval("lead"), **common))
    found.add(made_of([found["secrets"], found["broken"]], name="book", filename="{name}"))
    return found


@dataclass
class Office:
    """An API with people of one tenant, and a worker that runs the tasks given to it."""

    api: TaskApi
    tenant: str

    def ana(self, **headers: str) -> httpx2.Client:
        client = self.api.person(self.tenant, "ana", ("hr",))
        client.headers.update(headers)
        return client

    def ask(self, **changes: Any) -> dict[str, Any]:
        answer = self.ana().post(TASKS, json=SECRETS | changes)
        assert answer.status_code == 202, answer.text
        task: dict[str, Any] = answer.json()
        return task

    def run(self, task: dict[str, Any]) -> dict[str, Any]:
        """The task after one attempt of a worker."""
        claim = self.api.runs.claim(UUID(task["id"]), "test-worker")
        assert claim is not None
        services = self.api.services
        with Stack(
            services.settings,
            registry=services.registry,
            engine=self.api.engine,
            store=services.store,
            notification_rules=services.notification_rules,
        ) as stack:
            asyncio.run(Attempt(stack.worker_dependencies(), claim).run())
        return self.read(task)

    def read(self, task: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = self.ana().get(f"{TASKS}/{task['id']}").json()
        return body

    def file(self, task: dict[str, Any], folder: Path) -> Path:
        """Its file as the store has it."""
        key = self.row(task)["object_key"]
        path = folder / f"{task['id']}.zip"
        path.write_bytes(self.api.services.store.read(key))  # type: ignore[attr-defined]  # MemoryStore has `read`
        return path

    def row(self, task: dict[str, Any]) -> sa.RowMapping:
        query = sa.select(export_task).where(export_task.c.id == UUID(task["id"]))
        with self.api.engine.connect() as connection:
            return connection.execute(query).mappings().one()

    def keys(self, task: dict[str, Any]) -> sa.RowMapping | None:
        query = sa.select(file_key).where(file_key.c.task_id == UUID(task["id"]))
        with self.api.engine.connect() as connection:
            return connection.execute(query).mappings().one_or_none()
