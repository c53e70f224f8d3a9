"""What people do with tasks: ask, look, cancel, try again, delete.

Every method that shows a task takes the `Principal` it acts for, and sees that principal's
tasks only; a task of somebody else is `TaskNotFound`, just like one that never was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task, outbox
from waybill.infra.failpoints import failpoint
from waybill.infra.links.share_links import forget_links
from waybill.infra.notifications.record import delete_notices
from waybill.infra.tasks.audit import audit
from waybill.infra.tasks.lifecycle.completion import after_end
from waybill.infra.tasks.lifecycle.objects import let_go
from waybill.infra.tasks.lifecycle.submission import Submitted, submit
from waybill.infra.tasks.model import Flight, NewTask, Task, TaskConflict
from waybill.infra.tasks.queries.owned import follows, load, matching, newest
from waybill.infra.tasks.states import LIVE, TaskStatus

_t = export_task.c


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and how many tasks the whole list has."""

    tasks: list[Task]
    total: int


class TaskRequests:
    """The task store, as seen from the API."""

    def __init__(self, engine: Engine, limits: Limits | None = None) -> None:
        """`limits` refuse new exports where too many are there; without, none is refused."""
        self._engine = engine
        self._limits = limits

    def submit(self, user: Principal, new: NewTask) -> Submitted:
        """Store a task with its audit row and its wake-up in one commit.

        A live task of the same user with the same type, format, parameters and name answers
        instead of a new one; so does the task of the same idempotency key, live or not. With a
        `Flight`, a new task may share the run or the file of an equal request of its tenant.

        Raises:
            IdempotencyMismatch: the key was used before with another request.
            NotNow: a quota is used up, or too much waits for the broker.
        """
        with write_transaction(self._engine) as connection:
            submitted = submit(connection, user, new, self._limits)
            failpoint("api.before_commit")
        failpoint("api.after_commit")
        return submitted

    def get(self, user: Principal, task_id: UUID) -> Task:
        """One task of `user`'s, or `TaskNotFound`."""
        with read_transaction(self._engine) as connection:
            return load(connection, user, task_id)

    def page(
        self,
        user: Principal,
        *,
        statuses: Sequence[TaskStatus] = (),
        task_type: str | None = None,
        name_part: str | None = None,
        offset: int = 0,
        limit: int = 20,
    ) -> Page:
        """`user`'s tasks, newest first."""
        wanted = matching(user, statuses, task_type, name_part)
        with read_transaction(self._engine) as connection:
            total = connection.execute(
                sa.select(sa.func.count()).select_from(export_task).where(*wanted)
            ).scalar_one()
            return Page(newest(connection, wanted, offset=offset, limit=limit), total)

    def after(
        self,
        user: Principal,
        position: tuple[datetime, UUID] | None,
        *,
        statuses: Sequence[TaskStatus] = (),
        task_type: str | None = None,
        name_part: str | None = None,
        limit: int = 20,
    ) -> list[Task]:
        """`user`'s tasks that follow a `(created_at, id)` in the order of `page`.

        Its cost does not grow with the depth, and no task shows twice when new ones arrive.
        """
        wanted = matching(user, statuses, task_type, name_part)
        if position:
            wanted.append(follows(*position))
        with read_transaction(self._engine) as connection:
            return newest(connection, wanted, limit=limit)

    def count_by_status(self) -> dict[TaskStatus, int]:
        """How many tasks of everybody's are in each state: figures for operators, no task."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                sa.select(_t.status, sa.func.count()).group_by(_t.status)
            ).all()
        return dict.fromkeys(TaskStatus, 0) | {TaskStatus(row[0]): row[1] for row in rows}

    def cancel(self, user: Principal, task_id: UUID) -> Task:
        """Cancel now, or ask the worker to; after this the task never becomes SUCCESS.

        Raises:
            TaskConflict: the task has ended otherwise. Cancelling twice is no error.
        """
        with write_transaction(self._engine) as connection:
            task = load(connection, user, task_id, for_update=True)
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
            after_end(connection, now, row)
            return Task.from_row(row)

    def retry(
        self,
        user: Principal,
        task_id: UUID,
        *,
        max_attempts: int,
        flight: Flight | None = None,
    ) -> Submitted:
        """Ask again for a task that failed, was cancelled or has expired, as a new task.

        Raises:
            TaskConflict: the task is live, or has a file.
            NotNow: as for any new task.
        """
        task = self.get(user, task_id)
        if task.status in (*LIVE, TaskStatus.SUCCESS):
            raise TaskConflict(
                f"Only an ended export without a file can be retried: {task.status}."
            )
        new = NewTask(
            task_type=task.task_type,
            queue=task.queue,
            format=task.format,
            params=task.params,
            filename=task.filename,
            asked_filename=task.filename,
            max_attempts=max_attempts,
            parent_id=task.id,
            notify=task.notify,
            flight=flight,
        )
        with write_transaction(self._engine) as connection:
            submitted = submit(connection, user, new, self._limits)
            audit(
                connection,
                database_now(connection),
                "retry",
                _identity(task),
                actor=user.user,
                detail={"task": str(submitted.task.id)},
            )
            return submitted

    def delete(self, user: Principal, task_id: UUID) -> None:
        """Forget an ended task. The sweeper removes its file when no other task shares it.

        Raises:
            TaskConflict: the task is still live; cancel it first.
        """
        with write_transaction(self._engine) as connection:
            task = load(connection, user, task_id, for_update=True)
            if task.status in LIVE:
                raise TaskConflict("The export is still running; cancel it first.")
            now = database_now(connection)
            audit(connection, now, "delete", _identity(task), actor=user.user)
            if task.object_key is not None:
                let_go(connection, task.object_key, task.id)
            forget_links(connection, task.id)
            connection.execute(sa.delete(outbox).where(outbox.c.task_id == task.id))
            delete_notices(connection, task.id)
            connection.execute(sa.delete(export_task).where(_t.id == task.id))

    def record_link(self, user: Principal, task: Task, url: str, expires_at: datetime) -> None:
        """Keep a freshly signed link on the row for its owner, and audit that it was made."""
        with write_transaction(self._engine) as connection:
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
