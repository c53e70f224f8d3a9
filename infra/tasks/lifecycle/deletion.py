"""Deletion of ended tasks, with everything that belongs to them. Their audit entries stay."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import export_task, outbox, share_link
from waybill.infra.tasks.notifications import delete_notices


def delete_tasks(connection: Connection, task_ids: Collection[UUID]) -> None:
    """Delete ended tasks, their wake-ups, links and notices.

    The caller has locked them and released their files. Ids of them in other rows (the task that
    a retry repeats, whose file a task shares, of a dead letter) stay, and lead to no task.
    """
    for table in (share_link, outbox):
        connection.execute(sa.delete(table).where(table.c.task_id.in_(task_ids)))
    delete_notices(connection, task_ids)
    connection.execute(sa.delete(export_task).where(export_task.c.id.in_(task_ids)))
