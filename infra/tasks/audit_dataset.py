"""The audit log as a dataset: exported like any other, from the task database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Column
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import PermissionDenied
from waybill.infra.config.admin_roles import AdminRoles
from waybill.infra.db.schema import in_schema
from waybill.infra.db.tables import audit_log
from waybill.infra.sources.names import TASKS
from waybill.infra.tasks.queries.admin import audit_conditions
from waybill.infra.tasks.queries.scope import scope_of

#: Its name, and that of its queue.
AUDIT = "waybill-audit"


class AuditParams(BaseModel, extra="forbid"):
    """Which entries of the audit log."""

    since: AwareDatetime | None = Field(None, title="Since", description="Included.")
    until: AwareDatetime | None = Field(None, title="Until", description="Not included.")
    tenant: str | None = Field(None, title="Tenant", max_length=255)
    actor: str | None = Field(None, title="Actor", max_length=255)
    action: str | None = Field(None, title="Action", max_length=80)
    task_id: UUID | None = Field(None, title="Export")


class _UuidText(sa.sql.functions.FunctionElement[str]):
    """An id as the API writes it; SQLite holds it without its hyphens."""

    type = sa.Text()
    inherit_cache = True


@compiles(_UuidText)
def _as_stored(element: _UuidText, compiler: SQLCompiler, **how: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **how)} AS TEXT)"


@compiles(_UuidText, "sqlite")
def _hyphenated(element: _UuidText, compiler: SQLCompiler, **how: Any) -> str:
    digits = compiler.process(element.clauses, **how)
    groups = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return " || '-' || ".join(f"substr({digits}, {start}, {size})" for start, size in groups)


def audit_dataset(roles: AdminRoles, schema: Callable[[], str | None] = lambda: None) -> Dataset:
    """The dataset, for holders of the two `roles`, each with the entries of their own scope.

    Entries are never changed, so a range of the past gives the same bytes again.
    """

    def entries(params: AuditParams, user: Principal) -> sa.Select[Any]:
        scope = scope_of(user, roles)
        if scope is None:
            raise PermissionDenied(f"You may not export {AUDIT!r}.")
        conditions = scope.limits(audit_log.c.tenant_id) + audit_conditions(**params.model_dump())
        columns = [
            _UuidText(column).label("task_id") if column.name == "task_id" else column
            for column in audit_log.c
        ]
        query = sa.select(*columns).where(*conditions).order_by(audit_log.c.id)
        return in_schema(query, schema())

    def may_share(maker: Principal, reader: Principal) -> bool:
        """An admin must not get what an operator exported, nor an operator of yesterday."""
        held, seen = scope_of(maker, roles), scope_of(reader, roles)
        return held is not None and seen is not None and seen.covers(held)

    return Dataset(
        AUDIT,
        entries,
        params=AuditParams,
        queue=AUDIT,
        roles=frozenset({roles.operator_role, roles.admin_role}),
        filename="audit-{today}",
        title="Audit log",
        reads=TASKS,
        may_share=may_share,
        columns=_COLUMNS,
    )


_COLUMNS = {
    "id": Column(label="ID"),
    "at": Column(label="At"),
    "tenant_id": Column(label="Tenant"),
    "actor": Column(label="Actor", width=22),
    "actor_kind": Column(label="Kind of actor"),
    "actor_tenant": Column(label="Actor's tenant"),
    "action": Column(label="Action"),
    "task_id": Column(label="Export", width=38),
    "from_status": Column(label="From"),
    "to_status": Column(label="To"),
    "fence": Column(label="Fence"),
    "detail": Column(label="Detail", width=44),
    "request_id": Column(label="Request", width=18),
    "address": Column(label="Address", width=18),
}
