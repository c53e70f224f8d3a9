"""Who is told that a task has ended: rows written in the commit that ends it.

So nothing that ended is forgotten, and nothing is told that did not happen: the rows are
delivered later, by any worker, and there is one for each way of telling.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.inserts import insert_ignoring
from waybill.infra.db.tables import notification
from waybill.infra.tasks.model import TaskRow
from waybill.infra.tasks.states import TaskStatus

NOTICE, WEBHOOK, EMAIL = "notice", "webhook", "email"

#: What each end is called. Part of the contract with receivers of webhooks.
EVENTS: dict[TaskStatus, str] = {
    TaskStatus.SUCCESS: "export.succeeded",
    TaskStatus.FAILED: "export.failed",
    TaskStatus.CANCELLED: "export.cancelled",
}


def insert_notifications(connection: Connection, now: datetime, task: TaskRow) -> None:
    """Owe everybody who asked the news of `task`'s end, and put it into its owner's notices.

    One row for each channel however often it is called; a status without an event is none.
    """
    event = EVENTS.get(TaskStatus(task["status"]))
    if event is None:
        return
    targets: dict[str, str | None] = {NOTICE: None, **(task["notify"] or {})}
    common: dict[str, Any] = {
        "task_id": task["id"],
        "tenant_id": task["tenant_id"],
        "user_id": task["created_by"],
        "event": event,
        "detail": {
            "status": task["status"],
            "type": task["task_type"],
            "filename": task["filename"],
            "code": task["error_code"],
            "message": task["error_message"],
        },
        "created_at": now,
        "available_at": now,
    }
    rows = [
        {
            "id": uuid4(),
            "channel": channel,
            "target": target,
            # The page's list is where a notice is delivered to.
            "delivered_at": now if channel == NOTICE else None,
            **common,
        }
        for channel, target in targets.items()
    ]
    connection.execute(insert_ignoring(connection, notification).values(rows))


def delete_notices(connection: Connection, task_id: UUID) -> None:
    """Take a deleted task out of its owner's notices. Webhooks and mails are still owed."""
    n = notification.c
    connection.execute(sa.delete(notification).where(n.task_id == task_id, n.channel == NOTICE))
