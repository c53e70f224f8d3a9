"""The audit log: one row for each action on a task, in the transaction of the action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import audit_log
from waybill.infra.tasks.model import TaskRow
from waybill.infra.tasks.states import TaskStatus

#: Actor of changes that no person made.
SYSTEM = "system"

#: Without RETURNING: the new id is not needed, and reading it costs time.
_INSERT = sa.insert(audit_log).inline()


def audit(
    connection: Connection,
    now: datetime,
    action: str,
    task: TaskRow,
    *,
    actor: str = SYSTEM,
    change: tuple[TaskStatus | None, TaskStatus] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record who did what to which task. `detail` must hold no link, secret or parameter.

    `change` is the status before and after, None when the status stays; only the moves in
    `waybill.infra.tasks.lifecycle.transitions` pass one.
    """
    before, after = change or (None, None)
    entry = {
        "at": now,
        "tenant_id": task["tenant_id"],
        "actor": actor,
        "action": action,
        "task_id": task["id"],
        "from_status": before,
        "to_status": after,
        "fence": task["fence"],
        "detail": dict(detail or {}),
    }
    connection.execute(_INSERT, entry)
