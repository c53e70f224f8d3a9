"""Who may use the admin routes, and what they see: admins their tenant, operators all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from waybill.exporter.datasets.principal import Principal
from waybill.infra.services import Services
from waybill.infra.tasks.audit import Actor, ActorKind
from waybill.infra.tasks.queries.scope import ALL_TENANTS, Scope


@dataclass(frozen=True, slots=True)
class AdminCaller:
    """A caller of the admin routes, and the scope of their queries."""

    user: Principal
    scope: Scope

    @property
    def actor(self) -> Actor:
        """Who acts, for the audit log."""
        kind = ActorKind.OPERATOR if self.scope == ALL_TENANTS else ActorKind.USER
        return Actor(self.user.user, kind, self.user.tenant)


def admin_caller(services: Services, user: Principal) -> AdminCaller | None:
    """`user` as a caller of the admin routes; None without one of the two roles."""
    scope = services.admin_scope(user)
    return AdminCaller(user, scope) if scope else None


def note_read(
    services: Services,
    caller: AdminCaller,
    what: str,
    tenants: Iterable[str | None],
    **narrowed: object,
) -> None:
    """Record in the audit log that an operator is about to see rows of other tenants.

    Before the answer: a read that cannot be recorded fails.
    """
    if caller.scope == ALL_TENANTS:
        services.oversight_reads.note(caller.user, what, tenants, narrowed)
