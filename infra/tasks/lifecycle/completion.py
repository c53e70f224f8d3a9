"""What else happens in the commit that ends a task: once for each end, or not at all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.engine import Connection

from waybill.infra.notifications.record import insert_notifications
from waybill.infra.tasks.audit import TaskRow
from waybill.infra.tasks.lifecycle.quotas import count_rows
from waybill.infra.tasks.lifecycle.single_flight import land
from waybill.infra.tasks.states import LIVE, TaskStatus


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
        insert_notifications(connection, now, task)
