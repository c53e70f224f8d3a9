"""Requests of users about tasks: submit, read, list, cancel, retry, delete.

Every method that returns a task takes the `Principal` it acts for and sees that principal's
tasks only; a task of another user is `TaskNotFound`, like one that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.limits import Limits
from waybill.infra.db.borrowed import borrowed
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.schema import naming_of
from waybill.infra.db.tables import ENDED_WITHOUT_FILE, export_task, in_status
from waybill.infra.failpoints import failpoint
from waybill.infra.tasks.audit import Actor, audit
from waybill.infra.tasks.lifecycle.cancel_retry import (
    cancel_task,
    refuse_unless_retryable,
    submit_retry,
)
from waybill.infra.tasks.lifecycle.deletion import delete_tasks
from waybill.infra.tasks.lifecycle.objects import release_object
from waybill.infra.tasks.lifecycle.submission import Submitted, reusable, submit
from waybill.infra.tasks.model import (
    AskedApproval,
    FilePassword,
    NewTask,
    SingleFlight,
    Task,
    TaskConflict,
)
from waybill.infra.tasks.queries.owned import (
    ListOrder,
    TaskFilter,
    follows,
    load,
    matching,
    newest,
)
from waybill.infra.tasks.queries.places import QueuePlace, places_of
from waybill.infra.tasks.states import LIVE, TaskStatus

if TYPE_CHECKING:
    from waybill.infra.db.borrowed import Lent as Lent

_task = export_task.c


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and the number of tasks in the whole list."""

    tasks: list[Task]
    total: int


class TaskRequests:
    """The tasks of a user, for the API."""

    def __init__(self, engine: Engine, limits: Limits | None = None) -> None:
        """`limits` refuse new exports when there are too many; None refuses none."""
        self._engine = engine
        self._limits = limits

    def submit(self, user: Principal, new: NewTask) -> Submitted:
        """Store a task with its audit row and its wake-up in one commit.

        A live task of the same user with the same type, format, parameters and name is returned
        instead of a new one; so is the task of the same idempotency key, live or not. With a
        `SingleFlight`, a new task may share the run or file of an equal request of its tenant.

        Raises:
            IdempotencyMismatch: the key was used before with another request.
            NotNow: a quota is used up, or too much waits for the broker.
        """
        with write_transaction(self._engine) as connection:
            submitted = submit(connection, user, new, self._limits)
            failpoint("api.before_commit")
        failpoint("api.after_commit")
        return submitted

    def submit_within(self, lent: Lent, user: Principal, new: NewTask) -> Submitted:
        """As `submit`, as a part of the transaction of `lent`, which its owner ends.

        A submission that is refused leaves nothing in it. Until the end of the transaction, other
        submissions of the user and of the tenant may wait for it.

        Raises:
            IdempotencyMismatch: the key was used before with another request.
            NotNow: a quota is used up, or too much waits for the broker.
            ValueError, TypeError: `lent` has no transaction, or is of no known kind.
        """
        with borrowed(lent, self._schema) as connection:
            return submit(connection, user, new, self._limits)

    @cached_property
    def _schema(self) -> str | None:
        with self._engine.connect() as connection:
            return naming_of(connection)

    def reusable(self, user: Principal, new: NewTask) -> Task | None:
        """The finished task whose file `submit` would give for `new`, if there is one."""
        with read_transaction(self._engine) as connection:
            return reusable(connection, user, new)

    def get(self, user: Principal, task_id: UUID) -> Task:
        """One of `user`'s tasks, or `TaskNotFound`."""
        with read_transaction(self._engine) as connection:
            return load(connection, user, task_id)

    def page(
        self,
        user: Principal,
        narrowed: TaskFilter | None = None,
        *,
        order: ListOrder = ListOrder.NEWEST,
        offset: int = 0,
        limit: int = 20,
    ) -> Page:
        """`user`'s tasks, newest first unless `order` says otherwise."""
        conditions = matching(user, narrowed)
        with read_transaction(self._engine) as connection:
            total = connection.execute(
                sa.select(sa.func.count()).select_from(export_task).where(*conditions)
            ).scalar_one()
            found = newest(
                connection, conditions, offset=offset, limit=limit, order=order, total=total
            )
            return Page(found, total)

    def after(
        self,
        user: Principal,
        position: tuple[datetime, UUID] | None,
        narrowed: TaskFilter | None = None,
        *,
        limit: int = 20,
    ) -> list[Task]:
        """`user`'s tasks that follow `position`, a `(created_at, id)`, in the order of `page`.

        The cost does not grow with the depth, and no task appears twice when new ones arrive.
        """
        conditions = matching(user, narrowed)
        if position:
            conditions.append(follows(*position))
        with read_transaction(self._engine) as connection:
            return newest(connection, conditions, limit=limit)

    def places(self, user: Principal) -> list[QueuePlace]:
        """Where each waiting task of `user`'s stands in its queue, of all tenants' tasks."""
        with read_transaction(self._engine) as connection:
            return places_of(connection, user)

    def count_by_status(self) -> dict[TaskStatus, int]:
        """The number of tasks in each state, of all tenants: figures for operators.

        Each is counted in a partial index, and never in the whole table.
        """
        groups = (
            ENDED_WITHOUT_FILE,
            *((status,) for status in TaskStatus if status not in ENDED_WITHOUT_FILE),
        )
        counts = sa.union_all(
            *(
                sa.select(_task.status, sa.func.count())
                .where(in_status(*group))
                .group_by(_task.status)
                for group in groups
            )
        )
        with read_transaction(self._engine) as connection:
            rows = connection.execute(counts).all()
        return dict.fromkeys(TaskStatus, 0) | {TaskStatus(row[0]): row[1] for row in rows}

    def cancel(self, user: Principal, task_id: UUID) -> Task:
        """Cancel now, or ask the worker to; after this the task never becomes SUCCESS.

        Raises:
            TaskConflict: the task has ended otherwise. Cancelling twice is no error.
        """
        with write_transaction(self._engine) as connection:
            task = load(connection, user, task_id, for_update=True)
            return cancel_task(connection, task, Actor.user(user))

    def retry(
        self,
        user: Principal,
        task_id: UUID,
        *,
        max_attempts: int,
        notify: Mapping[str, str] | None = None,
        single_flight: SingleFlight | None = None,
        approval: AskedApproval | None = None,
        password: FilePassword | None = None,
    ) -> Submitted:
        """Submit the export of a task that failed, was cancelled or has expired as a new task.

        `notify` are its targets as they were judged again; None: those of the task. The
        file that may be reused for it is the caller's to check, as for `submit`. So is `approval`,
        what the new task has to wait for. `password` is the new one of a file that had one.

        Raises:
            TaskConflict: the task is live, or has a file.
            PasswordNeeded: the file had a password, and there is no new one.
            NotNow: as for any new task.
        """
        task = self.get(user, task_id)
        refuse_unless_retryable(task)
        new = NewTask.retry_of(
            task,
            max_attempts=max_attempts,
            notify=notify,
            single_flight=single_flight,
            approval=approval,
            password=password,
        )
        with write_transaction(self._engine) as connection:
            return submit_retry(connection, user, task, new, Actor.user(user), self._limits)

    def delete(self, user: Principal, task_id: UUID) -> None:
        """Delete an ended task. The sweeper removes its file when no other task shares it.

        Raises:
            TaskConflict: the task is still live; cancel it first.
        """
        with write_transaction(self._engine) as connection:
            task = load(connection, user, task_id, for_update=True)
            if task.status in LIVE:
                raise TaskConflict("The export is still running; cancel it first.")
            now = database_now(connection)
            audit(connection, now, "delete", task.identity, actor=Actor.user(user))
            if task.object_key is not None:
                release_object(connection, task.object_key, task.id)
            delete_tasks(connection, [task.id])

    def record_link(self, user: Principal, task: Task, url: str, expires_at: datetime) -> None:
        """Record a newly signed link on the task, and audit that it was made.

        The task keeps its version: the link is a cache, and no change that a client waits for.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            connection.execute(
                sa.update(export_task)
                .where(_task.id == task.id, in_status(TaskStatus.SUCCESS))
                .values(download_url=url, url_expires_at=expires_at, link_shown_at=None)
            )
            audit(
                connection,
                now,
                "download",
                task.identity,
                actor=Actor.user(user),
                detail=_link_detail(now, expires_at),
            )

    def record_files(
        self, user: Principal, task: Task, files: int, expires_at: datetime, *, partial: bool
    ) -> None:
        """Audit that links to these many files of a set were made, of a `partial` one or a whole.

        They are not recorded on the task.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            detail = {**_link_detail(now, expires_at), "files": files, "partial": partial}
            actor = Actor.user(user)
            audit(connection, now, "download", task.identity, actor=actor, detail=detail)

    def show_link(self, user: Principal, task_id: UUID) -> Task:
        """The task whose recorded link is about to be shown; audits the first time of each link.

        The task keeps its version: no client waits for this.

        Raises:
            TaskNotFound: also if the task belongs to another user.
        """
        with write_transaction(self._engine) as connection:
            task = load(connection, user, task_id, for_update=True)
            if task.url_expires_at is None or task.link_shown_at is not None:
                return task
            now = database_now(connection)
            connection.execute(
                sa.update(export_task).where(_task.id == task.id).values(link_shown_at=now)
            )
            audit(
                connection,
                now,
                "link_shown",
                task.identity,
                actor=Actor.user(user),
                detail={"link_expires_at": task.url_expires_at.isoformat()},
            )
            return task


def _link_detail(now: datetime, expires_at: datetime) -> dict[str, int]:
    """What the audit log says of a link that was made `now`."""
    return {"link_seconds": round((expires_at - now) / timedelta(seconds=1))}
