"""Answers to exports that wait for an approval. Who may give one is judged by the caller."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.lifecycle.transitions import AWAITS_ANSWER, approve, decline
from waybill.infra.tasks.model import ApprovalState, Task, TaskConflict, TaskNotFound

_task = export_task.c

#: Longest note that an answer may have.
MAX_NOTE_CHARS = 1000
#: Tasks that one query reads.
_BATCH = 200


class Approvals:
    """Tasks of any owner that ask for an approval. Safe in any number of processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def waiting(self, datasets: Collection[str], tenant: str | None) -> Iterator[Task]:
        """Tasks of `datasets` that wait for an answer, oldest first; tenant None: of all tenants.

        They are read in batches while you iterate.
        """
        conditions = [*AWAITS_ANSWER, _task.task_type.in_(sorted(datasets))]
        if tenant is not None:
            conditions.append(_task.tenant_id == tenant)
        query = sa.select(export_task).order_by(_task.created_at, _task.id).limit(_BATCH)
        after: list[sa.ColumnElement[bool]] = []
        while True:
            with read_transaction(self._engine) as connection:
                rows = connection.execute(query.where(*conditions, *after)).mappings().all()
            yield from map(Task.from_row, rows)
            if len(rows) < _BATCH:
                return
            last = rows[-1]
            position = sa.tuple_(_task.created_at, _task.id)
            after = [position > sa.tuple_(last["created_at"], last["id"])]

    def get(self, task_id: UUID, tenant: str | None) -> Task:
        """One task that asks or asked for an approval; tenant None: of any tenant.

        Raises:
            TaskNotFound: there is none, or it needs no approval.
        """
        conditions = [_task.id == task_id, _task.approval.is_not(None)]
        if tenant is not None:
            conditions.append(_task.tenant_id == tenant)
        with read_transaction(self._engine) as connection:
            row = connection.execute(sa.select(export_task).where(*conditions)).mappings().first()
        if row is None:
            raise TaskNotFound()
        return Task.from_row(row)

    def approve(self, task: Task, actor: Actor, note: str | None) -> Task:
        """Let `task` run. Repeating an answer of one's own is no error.

        Raises:
            TaskConflict: it does not wait for an answer any more.
        """
        return self._answer(task, actor, note, ApprovalState.APPROVED)

    def decline(self, task: Task, actor: Actor, note: str | None) -> Task:
        """End `task`, which becomes FAILED. Repeating an answer of one's own is no error.

        Raises:
            TaskConflict: it does not wait for an answer any more.
        """
        return self._answer(task, actor, note, ApprovalState.DECLINED)

    def _answer(self, task: Task, actor: Actor, note: str | None, answer: ApprovalState) -> Task:
        give = approve if answer == ApprovalState.APPROVED else decline
        with write_transaction(self._engine) as connection:
            row = give(connection, database_now(connection), task.id, actor, note)
        if row is not None:
            return Task.from_row(row)
        now = self.get(task.id, task.tenant_id)
        if (now.approval, now.decided_by) == (answer, actor.name):
            return now
        raise TaskConflict("The request does not wait for an answer any more.")
