"""Operators' reads of other tenants' rows in the audit log, so that none is without a trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from sqlalchemy.engine import Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.tasks.audit import Actor, ActorKind, audit, no_task
from waybill.infra.tasks.hourly import HourlyMemory

#: Rows one operator can cause in an hour, per process of the API; the last one says so.
MAX_PER_HOUR = 1_000
#: In place of a tenant: the read is not limited to the tenants of a page.
EVERY_TENANT = "all"


class OversightReads:
    """Records reads of other tenants' rows: each once an hour."""

    def __init__(
        self,
        engine: Engine,
        *,
        per_hour: int = MAX_PER_HOUR,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._memory = HourlyMemory(per_actor=per_hour, clock=clock)

    def note(
        self,
        user: Principal,
        what: str,
        tenants: Iterable[str | None],
        narrowed: Mapping[str, object] | None = None,
    ) -> None:
        """Record that `user` is about to see rows of `tenants` in the list called `what`.

        `narrowed` holds the filter; None in it narrows nothing. Each tenant gets a row of its
        own, which its admins can read. Reads of the own tenant are not recorded.
        """
        used = {name: str(value) for name, value in (narrowed or {}).items() if value is not None}
        filters = tuple(sorted(used.items()))
        new = [
            (tenant, place)
            for tenant in sorted({tenant for tenant in tenants if tenant} - {user.tenant})
            if (place := self._memory.admit((user.tenant, user.user), (what, tenant, filters)))
        ]
        if new:
            self._record(user, what, used, new)

    def note_export(self, user: Principal, what: str, narrowed: Mapping[str, object]) -> None:
        """Record an export of the rows of the tenant in `narrowed`, or else of every tenant."""
        tenant = narrowed.get("tenant")
        if tenant is not None:
            self.note(user, what, [str(tenant)], narrowed)
            return
        used = {name: str(value) for name, value in narrowed.items() if value is not None}
        self._record(user, what, used | {"tenant": EVERY_TENANT}, [(user.tenant, 0)])

    def _record(
        self, user: Principal, what: str, used: Mapping[str, str], new: list[tuple[str, int]]
    ) -> None:
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            for tenant, place in new:
                detail: dict[str, object] = {"read": what, "filter": dict(used)}
                if place == self._memory.per_actor:
                    detail["note"] = "further reads of this hour are not recorded"
                audit(
                    connection,
                    now,
                    "oversight_read",
                    no_task(tenant),
                    actor=Actor(user.user, ActorKind.OPERATOR, user.tenant),
                    detail=detail,
                )
