"""Interventions: what admins and operators do with the tasks of other people.

They act within their scope, and in their own name in the audit log. The task stays its owner's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import read_transaction, write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.lifecycle.cancel_retry import (
    cancel_task,
    refuse_unless_retryable,
    submit_retry,
)
from waybill.infra.tasks.lifecycle.submission import Submitted
from waybill.infra.tasks.model import AskedApproval, NewTask, Task, TaskNotFound
from waybill.infra.tasks.queries.scope import Scope

_task = export_task.c

#: Judges the targets of a task again, given its tenant and the caller's own address: here None.
#: Returns those of the new task, or raises a `WaybillError`.
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
            return cancel_task(connection, task, actor)

    def retry(self, scope: Scope, task_id: UUID, actor: Actor) -> Submitted:
        """Submit a task that ended without a file again, in its owner's name, as a new task.

        Repeating the call gives the task of the first one while that is live.

        Raises:
            TaskNotFound: also if it belongs to a tenant outside of `scope`.
            TaskConflict: the task is live, or has a file.
            NotNow, BadNotificationTarget: as for any new task of the owner.
        """
        task = self.get(scope, task_id)
        refuse_unless_retryable(task)
        # Not in a transaction: names of hosts are looked up.
        notify = self._check_targets(task.tenant_id, task.notify or {}, None)
        new = NewTask.retry_of(
            task,
            max_attempts=task.max_attempts,
            notify=notify,
            approval=AskedApproval.again(task),
        )
        with write_transaction(self._engine) as connection:
            return submit_retry(connection, task.owner, task, new, actor, self._limits)


def _load(connection: Connection, scope: Scope, task_id: UUID, *, for_update: bool = False) -> Task:
    query = sa.select(export_task).where(_task.id == task_id, *scope.limits(_task.tenant_id))
    row = connection.execute(query.with_for_update() if for_update else query).mappings().first()
    if row is None:
        raise TaskNotFound()
    return Task.from_row(row)
