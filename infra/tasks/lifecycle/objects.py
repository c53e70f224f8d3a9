"""Objects that several tasks may refer to: the last one that lets go makes an orphan of it."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import export_task, in_status, storage_object
from waybill.infra.tasks.states import TaskStatus

_s = storage_object.c


def let_go(connection: Connection, key: str, task_id: UUID) -> None:
    """`task_id` no longer refers to `key`. The sweeper removes what nobody refers to."""
    # Two tasks that let go at once would each see the other: one waits here for the other.
    connection.execute(sa.select(_s.key).where(_s.key == key).with_for_update())
    connection.execute(
        sa.update(storage_object)
        .where(_s.key == key, ~referred_to(export_task.c.id != task_id))
        .values(state="OPEN")
    )


def referred_to(*by: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The condition that a finished task refers to the object."""
    return (
        sa.exists()
        .where(export_task.c.object_key == _s.key, in_status(TaskStatus.SUCCESS), *by)
        .correlate(storage_object)
    )
