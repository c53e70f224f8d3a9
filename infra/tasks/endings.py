"""What else happens in the commit that ends a task: once for each end, or not at all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.engine import Connection

from exporter.tasks import LIVE, TaskStatus
from infra.tasks.announcements import announce
from infra.tasks.flights import land
from infra.tasks.journal import TaskRow
from infra.tasks.quotas import count_rows


def after_end(connection: Connection, now: datetime, row: TaskRow) -> None:
    """Do what the end of a task brings about, in the transaction that changed `row`.

    Every update that may end a task calls this with the row it returned; a row that is
    still live is left alone.
    """
    if TaskStatus(row["status"]) in LIVE:
        return
    # Whoever shares the file ends here as well.
    ended = [row, *land(connection, now, row)]
    count_rows(connection, now, [task for task in ended if task["status"] == TaskStatus.SUCCESS])
    for task in ended:
        announce(connection, now, task)
