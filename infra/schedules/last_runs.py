"""The newest run of each schedule, with what became of its task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import export_task, schedule_run

_run = schedule_run.c


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run of a schedule: a slot that was run, skipped or refused."""

    slot: datetime
    at: datetime
    outcome: str
    code: str | None
    message: str | None
    task_id: UUID | None
    missed: int
    #: Of its task; None when there is none (any more).
    task_status: str | None = None
    task_error: str | None = None


def last_runs(connection: Connection, ids: list[UUID]) -> dict[UUID, LastRun]:
    """The newest run of each of these schedules, by their ids."""
    if not ids:
        return {}
    place = sa.func.row_number().over(partition_by=_run.schedule_id, order_by=_run.slot.desc())
    newest = (
        sa.select(schedule_run, place.label("place")).where(_run.schedule_id.in_(ids)).subquery()
    )
    query = (
        sa.select(newest, export_task.c.status, export_task.c.error_code)
        .select_from(newest.outerjoin(export_task, export_task.c.id == newest.c.task_id))
        .where(newest.c.place == 1)
    )
    return {
        row["schedule_id"]: LastRun(
            slot=row["slot"],
            at=row["at"],
            outcome=row["outcome"],
            code=row["code"],
            message=row["message"],
            task_id=row["task_id"],
            missed=row["missed"],
            task_status=row["status"],
            task_error=row["error_code"],
        )
        for row in connection.execute(query).mappings()
    }
