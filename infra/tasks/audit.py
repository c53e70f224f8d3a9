"""The audit log: one row for each action on a task, in the transaction of the action."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.tables import audit_log
from waybill.infra.tasks.model import TaskRow
from waybill.infra.tasks.states import TaskStatus
from waybill.request_origin import request_origin


class ActorKind(StrEnum):
    """What an actor is: names alone could be chosen so as to look like another one."""

    #: A caller of the API, by a token.
    USER = "user"
    WORKER = "worker"
    #: Waybill itself: no person asked for it.
    SYSTEM = "system"
    #: A caller who acts by the operator role, or a user of the command line, who has no tenant.
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something. Only people who call the API have a tenant."""

    name: str
    kind: ActorKind
    tenant: str | None = None

    @classmethod
    def user(cls, user: Principal) -> Actor:
        """A caller of the API."""
        return cls(user.user, ActorKind.USER, user.tenant)

    @classmethod
    def worker(cls, name: str) -> Actor:
        """A worker, by the name it has in its leases."""
        return cls(name, ActorKind.WORKER)

    @classmethod
    def command_line(cls, name: str) -> Actor:
        """A user of the operating system."""
        return cls(name, ActorKind.OPERATOR)


#: Actor of changes that no person made.
SYSTEM = Actor("system", ActorKind.SYSTEM)

#: Without RETURNING: the new id is not needed, and reading it costs time.
_INSERT = sa.insert(audit_log).inline()


def no_task(tenant: str | None) -> TaskRow:
    """In place of a task, for an entry that concerns none; of no tenant where that is None."""
    return {"id": None, "tenant_id": tenant or "", "fence": None}


def audit(
    connection: Connection,
    now: datetime,
    action: str,
    task: TaskRow,
    *,
    actor: Actor = SYSTEM,
    change: tuple[TaskStatus | None, TaskStatus] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record who did what to which task. `detail` must hold no link, secret or parameter.

    `change` is the status before and after, None when the status stays; only the moves in
    `waybill.infra.tasks.lifecycle.transitions` pass one.
    """
    entry = _entry(now, action, task, actor, change, detail)
    connection.execute(_INSERT, entry)


def audit_each(
    connection: Connection, now: datetime, action: str, tasks: Iterable[TaskRow]
) -> None:
    """Record what Waybill itself did to each of `tasks`, which keep their status.

    In one statement: a round trip for each of a thousand takes longer than the action.
    """
    if entries := [_entry(now, action, task, SYSTEM, None, None) for task in tasks]:
        connection.execute(_INSERT, entries)


def _entry(
    now: datetime,
    action: str,
    task: TaskRow,
    actor: Actor,
    change: tuple[TaskStatus | None, TaskStatus] | None,
    detail: Mapping[str, Any] | None,
) -> dict[str, Any]:
    before, after = change or (None, None)
    origin = request_origin.get()
    return {
        "at": now,
        "tenant_id": task["tenant_id"],
        "actor": actor.name,
        "actor_tenant": actor.tenant,
        "actor_kind": actor.kind,
        "action": action,
        "task_id": task["id"],
        "from_status": before,
        "to_status": after,
        "fence": task["fence"],
        "detail": dict(detail or {}),
        "request_id": origin.request_id if origin else None,
        "address": origin.address if origin else None,
    }
