"""Interventions: what admins and operators do with the tasks of other people.

They act within their scope, and in their own name in the audit log. The task stays its owner's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.audit import Actor, audit
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.lifecycle.submission import Submitted, submit
from waybill.infra.tasks.model import NewTask, Task, TaskConflict, TaskNotFound
from waybill.infra.tasks.queries.scope import Scope
from waybill.infra.tasks.states import LIVE, TaskStatus

_task = export_task.c

#: Judges the targets of a task again: see `waybill.infra.tasks.dead_letters`.
CheckTargets = Callable[[str, Mapping[str, str], str | None], Mapping[str, str]]


class Interventions:
    """Tasks of a scope, for those who look after them."""

    def __init__(
        self,
        engine: Engine,
        limits: Limits | None = None,
        check_targets: CheckTargets = lambda _tenant, notify, _own: dict(notify),
    ) -> None:
        """`limits` refuse a retry as they refuse a new export of the owner; None refuses none."""
        self._engine = engine
        self._limits = limits
        self._check_targets = check_targets

    def get(self, scope: Scope, task_id: UUID) -> Task:
        """One task, or `TaskNotFound`: also if it belongs to a tenant outside of `scope`."""
        with read_transaction(self._engine) as connection:
            return _load(connection, scope, task_id)

    def cancel(self, scope: Scope, task_id: UUID, actor: Actor) -> Task:
        """Cancel now, or ask the worker to; after this the task never becomes SUCCESS.

        Raises:
            TaskNotFound: also if it belongs to a tenant outside of `scope`.
            TaskConflict: the task has ended otherwise. Cancelling twice is no error.
        """
        with write_transaction(self._engine) as connection:
            task = _load(connection, scope, task_id, for_update=True)
            if task.status == TaskStatus.CANCELLED or task.cancel_requested_at:
                return task
            if task.status not in LIVE:
                raise TaskConflict(f"The export has ended: {task.status}.")
            now = database_now(connection)
            return Task.from_row(transitions.cancel(connection, now, task, actor))

    def retry(self, scope: Scope, task_id: UUID, actor: Actor) -> Submitted:
        """Submit a task that ended without a file again, in its owner's name, as a new task.

        Repeating the call gives the task of the first one while that is live.

        Raises:
            TaskNotFound: also if it belongs to a tenant outside of `scope`.
            TaskConflict: the task is live, or has a file.
            NotNow, BadNotificationTarget: as for any new task of the owner.
        """
        task = self.get(scope, task_id)
        if task.status in (*LIVE, TaskStatus.SUCCESS):
            raise TaskConflict(
                f"Only an ended export without a file can be retried: {task.status}."
            )
        # Not in a transaction: names of hosts are looked up.
        notify = self._check_targets(task.tenant_id, task.notify or {}, None)
        new = NewTask.retry_of(task, max_attempts=task.max_attempts, notify=notify)
        with write_transaction(self._engine) as connection:
            submitted = submit(connection, task.owner, new, self._limits)
            if not submitted.deduplicated:
                audit(
                    connection,
                    database_now(connection),
                    "retry",
                    task.identity,
                    actor=actor,
                    detail={"task": str(submitted.task.id)},
                )
            return submitted


def _load(connection: Connection, scope: Scope, task_id: UUID, *, for_update: bool = False) -> Task:
    query = sa.select(export_task).where(_task.id == task_id, *scope.limits(_task.tenant_id))
    row = connection.execute(query.with_for_update() if for_update else query).mappings().first()
    if row is None:
        raise TaskNotFound()
    return Task.from_row(row)
