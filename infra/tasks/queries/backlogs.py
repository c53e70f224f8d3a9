"""What waits or runs in the task database, as figures for operators.

Each reads through a partial index, so its cost is that of what waits or runs, and not of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.engine import database_now
from waybill.infra.db.tables import export_task, in_status, outbox, storage_object
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c
_message = outbox.c


@dataclass(frozen=True, slots=True)
class Backlogs:
    """Figures over all tenants, at one moment."""

    running: Mapping[str, int]
    #: Since the lease that was renewed longest ago was renewed; zero without leases.
    lease_age: timedelta
    outbox_waiting: int
    #: Since the oldest of them was committed; zero when none waits.
    outbox_age: timedelta
    open_uploads: int


def read_backlogs(connection: Connection, lease: timedelta) -> Backlogs:
    """The figures; `lease` is how long a lease is valid after it was renewed."""
    now = database_now(connection)
    running = {
        row.queue: row.number
        for row in connection.execute(
            sa.select(_task.queue, sa.func.count().label("number"))
            .where(in_status(TaskStatus.PROCESSING))
            .group_by(_task.queue)
        )
    }
    ends = connection.execute(
        sa.select(sa.func.min(_task.lease_expires_at)).where(_task.lease_expires_at.is_not(None))
    ).scalar_one()
    waiting, since = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.min(sa.func.coalesce(_message.added_at, _message.available_at)),
        ).where(_message.published_at.is_(None))
    ).one()
    uploads = connection.execute(
        sa.select(sa.func.count()).where(storage_object.c.state == sa.literal_column("'OPEN'"))
    ).scalar_one()
    return Backlogs(
        running,
        _age(now, ends - lease if ends else None),
        waiting,
        _age(now, since),
        uploads,
    )


def _age(now: datetime, since: datetime | None) -> timedelta:
    return max(timedelta(0), now - since) if since else timedelta(0)
