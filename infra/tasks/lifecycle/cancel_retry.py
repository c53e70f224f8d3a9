"""Cancelling and retrying one task, as its owner, an admin or an operator does."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import database_now
from waybill.infra.tasks.audit import Actor, audit
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.lifecycle.submission import Submitted, submit
from waybill.infra.tasks.model import NewTask, Task, TaskConflict
from waybill.infra.tasks.states import LIVE, TaskStatus


def cancel_task(connection: Connection, task: Task, actor: Actor) -> Task:
    """Cancel `task`, which is locked, now, or ask its worker to; it never becomes SUCCESS.

    Raises:
        TaskConflict: the task has ended otherwise. Cancelling twice is no error.
    """
    if task.status == TaskStatus.CANCELLED or task.cancel_requested_at:
        return task
    if task.status not in LIVE:
        raise TaskConflict(f"The export has ended: {task.status}.")
    now = database_now(connection)
    return Task.from_row(transitions.cancel(connection, now, task, actor))


def refuse_unless_retryable(task: Task) -> None:
    """Raise `TaskConflict` where `task` is live or has a file."""
    if task.status in (*LIVE, TaskStatus.SUCCESS):
        raise TaskConflict(f"Only an ended export without a file can be retried: {task.status}.")


def submit_retry(
    connection: Connection,
    user: Principal,
    task: Task,
    new: NewTask,
    actor: Actor,
    limits: Limits | None,
) -> Submitted:
    """Submit `new`, the retry of `task`, for `user`. Repeating the call makes no second task.

    Raises:
        NotNow: as for any new task.
    """
    submitted = submit(connection, user, new, limits)
    if not submitted.deduplicated:
        # Repeating the call makes neither a task nor an entry.
        audit(
            connection,
            database_now(connection),
            "retry",
            task.identity,
            actor=actor,
            detail={"task": str(submitted.task.id)},
        )
    return submitted
