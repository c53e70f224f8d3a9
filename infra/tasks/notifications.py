"""Notification rows: one for each channel, inserted in the commit that ends a task.

So no end goes without its notifications, and none is sent for an end that was rolled back.
Workers deliver the rows later (`waybill.infra.notifications`).
"""

from __future__ import annotations

from collections.abc import Collection
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

#: The event of each status that ends a task. Part of the contract with webhook receivers.
EVENTS: dict[TaskStatus, str] = {
    TaskStatus.SUCCESS: "export.succeeded",
    TaskStatus.FAILED: "export.failed",
    TaskStatus.CANCELLED: "export.cancelled",
}


def insert_notifications(connection: Connection, now: datetime, task: TaskRow) -> None:
    """Insert one notification row per requested channel, and one for the owner's notices.

    Repeated calls insert nothing more; a status without an event inserts nothing.
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
            # A notice is delivered once it is in the list on the page.
            "delivered_at": now if channel == NOTICE else None,
            **common,
        }
        for channel, target in targets.items()
    ]
    connection.execute(insert_ignoring(connection, notification).values(rows))


def delete_notices(connection: Connection, task_ids: Collection[UUID]) -> None:
    """Delete the notices of deleted tasks. Their webhooks and mails are still sent."""
    n = notification.c
    connection.execute(sa.delete(notification).where(n.task_id.in_(task_ids), n.channel == NOTICE))
