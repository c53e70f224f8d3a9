"""Refused requests in the audit log, bounded so that no caller can fill the log.

They are recorded after the response was sent: a refused caller does not wait for it, and learns
nothing from how long it takes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.audit import Actor, audit, no_task
from waybill.infra.tasks.hourly import HourlyMemory

log = logging.getLogger(__name__)

_task = export_task.c

#: Rows one user can cause in an hour, per process of the API; the last one says so.
MAX_PER_HOUR = 20


class Refusals:
    """Records refused requests: the same one once an hour, and few of one user.

    `clock` returns seconds; whole hours are counted by it.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._memory = HourlyMemory(per_actor=MAX_PER_HOUR, clock=clock)

    def note(self, user: Principal, *, code: str, route: str, task_id: UUID | None) -> None:
        """Record that `user` was refused with `code` at `route`, a template without values.

        An id that no task has is not recorded: random guesses must not crowd out real findings.
        Never raises when the database is away: the response was sent already.
        """
        who, key = (user.tenant, user.user), (code, route, task_id)
        if self._memory.knows(who, key):
            return
        try:
            task = self._task(task_id)
            if task_id is not None and task is None:
                return
            place = self._memory.admit(who, key)
            if place is not None:
                self._record(user, code, route, task, last=place == MAX_PER_HOUR)
        except SQLAlchemyError:
            log.warning("a refusal could not be recorded", extra={"code": code})

    def _task(self, task_id: UUID | None) -> sa.RowMapping | None:
        if task_id is None:
            return None
        query = sa.select(_task.id, _task.tenant_id, _task.fence).where(_task.id == task_id)
        with read_transaction(self._engine) as connection:
            return connection.execute(query).mappings().one_or_none()

    def _record(
        self, user: Principal, code: str, route: str, task: sa.RowMapping | None, *, last: bool
    ) -> None:
        detail = {"code": code, "route": route, "tenant": user.tenant}
        if last:
            detail["note"] = "further refusals of this hour are not recorded"
        with write_transaction(self._engine) as connection:
            audit(
                connection,
                database_now(connection),
                "refused",
                task or no_task(user.tenant),
                actor=Actor.user(user),
                detail=detail,
            )
