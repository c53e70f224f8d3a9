"""What operators look at: tasks of all tenants and the audit log. It changes nothing.

The only readers without a `Principal`; whoever calls them must have checked for the role.
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
from waybill.infra.db.tables import audit_log, export_task
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.queries.owned import newest
from waybill.infra.tasks.queries.statistics import (
    HourFigures,
    Lease,
    QueueFigures,
    is_in,
    read_hours,
    read_leases,
    read_queues,
)
from waybill.infra.tasks.states import TaskStatus

_t = export_task.c
_a = audit_log.c


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


class Oversight:
    """The task store, as seen by an operator."""

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
        wanted: list[sa.ColumnElement[bool]] = [sa.true()]
        if statuses:
            wanted.append(sa.or_(*map(is_in, statuses)))
        if tenant:
            wanted.append(_t.tenant_id == tenant)
        if task_type:
            wanted.append(_t.task_type == task_type)
        with read_transaction(self._engine) as connection:
            return newest(connection, wanted, offset=offset, limit=limit)

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
        are never changed or deleted, so no part shows one twice, whatever is added meanwhile.
        """
        wanted = audit_conditions(
            task_id=task_id, tenant=tenant, actor=actor, action=action, since=since, until=until
        )
        if before is not None:
            wanted.append(_a.id < before)
        query = sa.select(audit_log).where(*wanted).order_by(_a.id.desc()).limit(limit)
        with read_transaction(self._engine) as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]

    def queues(self) -> list[QueueFigures]:
        """What waits and what runs, by queue and type."""
        with read_transaction(self._engine) as connection:
            return read_queues(connection)

    def leases(self) -> list[Lease]:
        """What every worker has in hand."""
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
    """What an entry of the audit log has to be; None asks for nothing."""
    equal = ((_a.task_id, task_id), (_a.tenant_id, tenant), (_a.actor, actor), (_a.action, action))
    wanted: list[sa.ColumnElement[bool]] = [
        column == value for column, value in equal if value is not None
    ]
    if since is not None:
        wanted.append(_a.at >= since)
    if until is not None:
        wanted.append(_a.at < until)
    return wanted
