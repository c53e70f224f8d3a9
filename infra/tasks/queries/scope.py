"""The scope of an admin query: the tenants whose rows its caller may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.admin_roles import AdminRoles


@dataclass(frozen=True, slots=True)
class Scope:
    """One tenant, or all of them when `tenant` is None."""

    tenant: str | None

    def limits(self, column: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
        """The conditions that keep a query to the scope; `column` holds the tenant."""
        return [] if self.tenant is None else [column == self.tenant]

    def covers(self, other: Scope) -> bool:
        """Whether everything in `other` is also in this scope."""
        return self.tenant is None or self == other


#: For operators, and for the command line, whose user has the database anyway.
ALL_TENANTS = Scope(None)


def scope_of(user: Principal, roles: AdminRoles) -> Scope | None:
    """What `user` may see by admin queries; None without an admin's or an operator's role.

    The API takes the operator role from tokens of other tenants than `WAYBILL_OPERATOR_TENANTS`
    when it verifies them.
    """
    if roles.operator_role in user.roles:
        return ALL_TENANTS
    if roles.admin_role in user.roles:
        return Scope(user.tenant)
    return None
