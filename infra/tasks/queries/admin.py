"""Queries for operators: tasks of all tenants, the audit log, and figures. Read-only.

They take no `Principal`: the caller must have checked the operator's role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import audit_log, export_task, in_status
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.owned import newest
from waybill.infra.tasks.queries.statistics import (
    HourFigures,
    Lease,
    QueueFigures,
    read_hours,
    read_leases,
    read_queues,
)
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c
_entry = audit_log.c


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to which task, and when."""

    id: int
    at: datetime
    tenant_id: str
    actor: str
    action: str
    task_id: UUID | None
    from_status: str | None
    to_status: str | None
    fence: int | None
    detail: dict[str, Any] | None


class AdminQueries:
    """Reads of the task store across tenants."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def tasks(
        self,
        *,
        statuses: Sequence[TaskStatus] = (),
        tenant: str | None = None,
        task_type: str | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> list[Task]:
        """Tasks of all tenants, newest first."""
        conditions: list[sa.ColumnElement[bool]] = [sa.true()]
        if statuses:
            conditions.append(in_status(*statuses))
        if tenant:
            conditions.append(_task.tenant_id == tenant)
        if task_type:
            conditions.append(_task.task_type == task_type)
        with read_transaction(self._engine) as connection:
            return newest(connection, conditions, offset=offset, limit=limit)

    def audit(
        self,
        *,
        task_id: UUID | None = None,
        tenant: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[AuditEntry]:
        """Entries of the audit log, newest first.

        `since` is included and `until` is not. `before` continues after an entry's id: entries
        are never changed or deleted, so no entry appears twice, whatever is added meanwhile.
        """
        conditions = audit_conditions(
            task_id=task_id, tenant=tenant, actor=actor, action=action, since=since, until=until
        )
        if before is not None:
            conditions.append(_entry.id < before)
        query = sa.select(audit_log).where(*conditions).order_by(_entry.id.desc()).limit(limit)
        with read_transaction(self._engine) as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]

    def queues(self) -> list[QueueFigures]:
        """Waiting and running tasks, by queue and type."""
        with read_transaction(self._engine) as connection:
            return read_queues(connection)

    def leases(self) -> list[Lease]:
        """The tasks of every worker."""
        with read_transaction(self._engine) as connection:
            return read_leases(connection)

    def hours(self) -> list[HourFigures]:
        """How the exports of the last 24 hours ended, hour by hour."""
        with read_transaction(self._engine) as connection:
            return read_hours(connection)


def audit_conditions(
    *,
    task_id: UUID | None = None,
    tenant: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[sa.ColumnElement[bool]]:
    """Conditions for entries of the audit log; a filter that is None narrows nothing."""
    equal = (
        (_entry.task_id, task_id),
        (_entry.tenant_id, tenant),
        (_entry.actor, actor),
        (_entry.action, action),
    )
    conditions: list[sa.ColumnElement[bool]] = [
        column == value for column, value in equal if value is not None
    ]
    if since is not None:
        conditions.append(_entry.at >= since)
    if until is not None:
        conditions.append(_entry.at < until)
    return conditions
