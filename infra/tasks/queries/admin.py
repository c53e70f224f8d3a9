"""Queries of admins and operators: tasks, the audit log, and figures. Read-only.

Each takes the `Scope` of its caller, and returns nothing of a tenant outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import audit_log, export_task, in_status
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.backlogs import Backlogs, read_backlogs
from waybill.infra.tasks.queries.holdings import (
    Holdings,
    next_cuts,
    read_holdings,
    table_sizes,
)
from waybill.infra.tasks.queries.owned import newest
from waybill.infra.tasks.queries.scope import Scope
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
    actor_kind: str | None
    actor_tenant: str | None
    action: str
    task_id: UUID | None
    from_status: str | None
    to_status: str | None
    fence: int | None
    detail: dict[str, Any] | None
    request_id: str | None
    address: str | None


class AdminQueries:
    """Reads of the task store beyond the caller's own tasks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def backlogs(self, lease: timedelta) -> Backlogs:
        """What waits or runs, over all tenants; `lease` is how long a renewed lease is valid."""
        with read_transaction(self._engine) as connection:
            return read_backlogs(connection, lease)

    def holdings(self, keep: Mapping[str, timedelta]) -> Holdings:
        """What is kept, over all tenants; `keep` says for how long rows of a table are kept."""
        with read_transaction(self._engine) as connection:
            return read_holdings(connection, keep)

    def table_sizes(self) -> dict[str, int]:
        """Bytes of each table with its indexes; empty where the database does not say."""
        with read_transaction(self._engine) as connection:
            return table_sizes(connection)

    def next_cuts(self, keep: Mapping[str, timedelta]) -> dict[str, datetime]:
        """When the oldest row of each table is due to be deleted; `keep` as in `holdings`."""
        with read_transaction(self._engine) as connection:
            return next_cuts(connection, keep)

    def tasks(
        self,
        scope: Scope,
        *,
        statuses: Sequence[TaskStatus] = (),
        tenant: str | None = None,
        task_type: str | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> list[Task]:
        """Tasks of the tenants in `scope`, newest first."""
        conditions = [sa.true(), *scope.limits(_task.tenant_id)]
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
        scope: Scope,
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
        conditions = scope.limits(_entry.tenant_id) + audit_conditions(
            task_id=task_id, tenant=tenant, actor=actor, action=action, since=since, until=until
        )
        if before is not None:
            conditions.append(_entry.id < before)
        query = sa.select(audit_log).where(*conditions).order_by(_entry.id.desc()).limit(limit)
        with read_transaction(self._engine) as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]

    def queues(self, scope: Scope) -> list[QueueFigures]:
        """Waiting and running tasks, by queue and type."""
        with read_transaction(self._engine) as connection:
            return read_queues(connection, scope)

    def leases(self, scope: Scope) -> list[Lease]:
        """The tasks of every worker."""
        with read_transaction(self._engine) as connection:
            return read_leases(connection, scope)

    def hours(self, scope: Scope) -> list[HourFigures]:
        """How the exports of the last 24 hours ended, hour by hour."""
        with read_transaction(self._engine) as connection:
            return read_hours(connection, scope)


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
