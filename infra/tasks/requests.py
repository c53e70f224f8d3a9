"""What people do with tasks: ask, look, cancel, try again, delete.

Every method takes the `Principal` it acts for, and sees that principal's tasks only; a task
of somebody else is `TaskNotFound`, just like one that never was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from exporter.principal import Principal
from exporter.tasks import LIVE, TaskStatus
from infra.database import database_now, reading, writing
from infra.tasks.journal import audit, insert_ignoring, wake
from infra.tasks.model import IdempotencyMismatch, NewTask, Task, TaskConflict, TaskNotFound
from infra.tasks.schema import export_task, outbox, storage_object

_t = export_task.c


@dataclass(frozen=True, slots=True)
class Submitted:
    """The task that answers a request, and whether it was there before."""

    task: Task
    deduplicated: bool


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and how many tasks the whole list has."""

    tasks: list[Task]
    total: int


class TaskRequests:
    """The task store, as seen from the API."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def submit(self, user: Principal, new: NewTask) -> Submitted:
        """Store a task with its audit row and its wake-up in one commit.

        A live task of the same user with the same type, format, parameters and name answers
        instead of a new one; so does the task of the same idempotency key, live or not.

        Raises:
            IdempotencyMismatch: the key was used before with another request.
        """
        digest = _digest(new)
        with writing(self._engine) as connection:
            # A live twin may finish between the insert that it blocked and the look for it;
            # then the second round inserts.
            for _ in range(3):
                now = database_now(connection)
                if created := self._insert(connection, now, user, new, digest):
                    return Submitted(created, deduplicated=False)
                if twin := self._find_twin(connection, user, new, digest):
                    return Submitted(twin, deduplicated=True)
        raise TaskConflict("The same export is starting and finishing just now; ask again.")

    def get(self, user: Principal, task_id: UUID) -> Task:
        """One task of `user`'s, or `TaskNotFound`."""
        with reading(self._engine) as connection:
            return _load(connection, user, task_id)

    def page(
        self,
        user: Principal,
        *,
        statuses: Sequence[TaskStatus] = (),
        task_type: str | None = None,
        offset: int = 0,
        limit: int = 20,
    ) -> Page:
        """`user`'s tasks, newest first."""
        wanted = [_owned_by(user)]
        if statuses:
            wanted.append(_t.status.in_(statuses))
        if task_type:
            wanted.append(_t.task_type == task_type)
        with reading(self._engine) as connection:
            total = connection.execute(
                sa.select(sa.func.count()).select_from(export_task).where(*wanted)
            ).scalar_one()
            rows = connection.execute(
                sa.select(export_task)
                .where(*wanted)
                .order_by(_t.created_at.desc(), _t.id.desc())
                .offset(offset)
                .limit(limit)
            ).mappings()
            return Page([Task.from_row(row) for row in rows], total)

    def cancel(self, user: Principal, task_id: UUID) -> Task:
        """Cancel now, or ask the worker to; after this the task never becomes SUCCESS.

        Raises:
            TaskConflict: the task has ended otherwise. Cancelling twice is no error.
        """
        with writing(self._engine) as connection:
            task = _load(connection, user, task_id, for_update=True)
            if task.status == TaskStatus.CANCELLED or task.cancel_requested_at:
                return task
            if task.status not in LIVE:
                raise TaskConflict(f"The export has ended: {task.status}.")
            now = database_now(connection)
            change: dict[str, Any] = {"cancel_requested_at": now}
            if task.status == TaskStatus.PENDING:
                change |= {
                    "status": TaskStatus.CANCELLED,
                    "fence": _t.fence + 1,
                    "next_attempt_at": None,
                    "finished_at": now,
                }
            row = _update(connection, now, task, change)
            edge = (task.status, TaskStatus(row["status"]))
            audit(
                connection,
                now,
                "cancel",
                row,
                actor=user.user,
                change=edge if edge[0] != edge[1] else None,
            )
            return Task.from_row(row)

    def retry(self, user: Principal, task_id: UUID, *, max_attempts: int) -> Submitted:
        """Ask again for a task that failed, was cancelled or has expired, as a new task."""
        task = self.get(user, task_id)
        if task.status in (*LIVE, TaskStatus.SUCCESS):
            raise TaskConflict(
                f"Only an ended export without a file can be retried: {task.status}."
            )
        return self.submit(
            user,
            NewTask(
                task_type=task.task_type,
                queue=task.queue,
                format=task.format,
                params=task.params,
                filename=task.filename,
                max_attempts=max_attempts,
                parent_id=task.id,
            ),
        )

    def delete(self, user: Principal, task_id: UUID) -> None:
        """Forget an ended task. Its file becomes an orphan, which the sweeper removes.

        Raises:
            TaskConflict: the task is still live; cancel it first.
        """
        with writing(self._engine) as connection:
            task = _load(connection, user, task_id, for_update=True)
            if task.status in LIVE:
                raise TaskConflict("The export is still running; cancel it first.")
            now = database_now(connection)
            audit(connection, now, "delete", _identity(task), actor=user.user)
            connection.execute(
                sa.update(storage_object)
                .where(storage_object.c.task_id == task.id)
                .values(state="OPEN")
            )
            connection.execute(sa.delete(outbox).where(outbox.c.task_id == task.id))
            connection.execute(sa.delete(export_task).where(_t.id == task.id))

    def record_link(self, user: Principal, task: Task, url: str, expires_at: datetime) -> None:
        """Keep a freshly signed link on the row for its owner, and audit that it was made."""
        with writing(self._engine) as connection:
            now = database_now(connection)
            connection.execute(
                sa.update(export_task)
                .where(_t.id == task.id, _t.status == TaskStatus.SUCCESS)
                .values(download_url=url, url_expires_at=expires_at)
            )
            audit(
                connection,
                now,
                "download",
                _identity(task),
                actor=user.user,
                detail={"link_seconds": round((expires_at - now) / timedelta(seconds=1))},
            )

    def _insert(
        self, connection: Connection, now: datetime, user: Principal, new: NewTask, digest: str
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

    def _find_twin(
        self, connection: Connection, user: Principal, new: NewTask, digest: str
    ) -> Task | None:
        mine = sa.select(export_task).where(_owned_by(user))
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
    """SHA-256 over everything that decides what the file will be."""
    canonical = json.dumps(
        [new.task_type, new.format, dict(new.params), new.filename],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _owned_by(user: Principal) -> sa.ColumnElement[bool]:
    return sa.and_(_t.tenant_id == user.tenant, _t.created_by == user.user)


def _load(
    connection: Connection, user: Principal, task_id: UUID, *, for_update: bool = False
) -> Task:
    query = sa.select(export_task).where(_owned_by(user), _t.id == task_id)
    row = connection.execute(query.with_for_update() if for_update else query).mappings().first()
    if row is None:
        raise TaskNotFound()
    return Task.from_row(row)


def _update(
    connection: Connection, now: datetime, task: Task, change: dict[str, Any]
) -> sa.RowMapping:
    return (
        connection.execute(
            sa.update(export_task)
            .where(_t.id == task.id, _t.version == task.version)
            .values(**change, version=_t.version + 1, updated_at=now)
            .returning(*export_task.c)
        )
        .mappings()
        .one()
    )


def _identity(task: Task) -> dict[str, Any]:
    return {"id": task.id, "tenant_id": task.tenant_id, "fence": task.fence}
