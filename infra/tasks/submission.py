"""Storing a request for an export: one new task, or the one that answers it already."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exporter.principal import Principal
from exporter.tasks import LIVE, TaskStatus
from infra.database import database_now
from infra.tasks.journal import audit, insert_ignoring, wake
from infra.tasks.model import IdempotencyMismatch, NewTask, Task, TaskConflict
from infra.tasks.owned import owned_by
from infra.tasks.schema import export_task

_t = export_task.c


@dataclass(frozen=True, slots=True)
class Submitted:
    """The task that answers a request, and whether it was there before."""

    task: Task
    deduplicated: bool


def submit(connection: Connection, user: Principal, new: NewTask) -> Submitted:
    """Insert a task with its audit row and its wake-up, or find the one that blocked it.

    Raises:
        IdempotencyMismatch: the key was used before with another request.
    """
    digest = _digest(new)
    # A live twin may finish between the insert that it blocked and the look for it; then the
    # second round inserts.
    for _ in range(3):
        now = database_now(connection)
        if created := _insert(connection, now, user, new, digest):
            return Submitted(created, deduplicated=False)
        if twin := _find_twin(connection, user, new, digest):
            return Submitted(twin, deduplicated=True)
    raise TaskConflict("The same export is starting and finishing just now; ask again.")


def _insert(
    connection: Connection, now: datetime, user: Principal, new: NewTask, digest: str
) -> Task | None:
    statement = insert_ignoring(connection, export_task).values(
        id=uuid4(),
        tenant_id=user.tenant,
        created_by=user.user,
        roles=sorted(user.roles),
        task_type=new.task_type,
        queue=new.queue,
        format=new.format,
        params=dict(new.params),
        filename=new.filename,
        parent_id=new.parent_id,
        dedupe_key=digest,
        idempotency_key=new.idempotency_key,
        request_hash=digest,
        status=TaskStatus.PENDING,
        max_attempts=new.max_attempts,
        notify=dict(new.notify) if new.notify else None,
        version=1,
        created_at=now,
        updated_at=now,
    )
    row = connection.execute(statement.returning(*export_task.c)).mappings().one_or_none()
    if row is None:
        return None
    edge = (None, TaskStatus.PENDING)
    audit(connection, now, "submit", row, actor=user.user, change=edge)
    wake(connection, now, row["id"], kind="run", fence=0, queue=new.queue)
    return Task.from_row(row)


def _find_twin(connection: Connection, user: Principal, new: NewTask, digest: str) -> Task | None:
    mine = sa.select(export_task).where(owned_by(user))
    if new.idempotency_key:
        same_key = mine.where(_t.idempotency_key == new.idempotency_key)
        if row := connection.execute(same_key).mappings().one_or_none():
            if row["request_hash"] != digest:
                raise IdempotencyMismatch()
            return Task.from_row(row)
    same_work = mine.where(
        _t.task_type == new.task_type, _t.dedupe_key == digest, _t.status.in_(LIVE)
    )
    row = connection.execute(same_work).mappings().one_or_none()
    return Task.from_row(row) if row else None


def _digest(new: NewTask) -> str:
    """SHA-256 over everything that was asked for, being told included."""
    notify = [dict(new.notify)] if new.notify else []
    canonical = json.dumps(
        [new.task_type, new.format, dict(new.params), new.asked_filename, *notify],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
