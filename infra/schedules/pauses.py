"""Pausing a schedule for a reason, telling those whom it concerns, and deleting schedules.

The owner gets a notice. The admins of the tenant get one together: the first of them who reads it
has read it for all. If the schedule mails its owner, a mail says the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.errors import WaybillError
from waybill.infra.db.tables import notification, saved_export, schedule, schedule_run
from waybill.infra.tasks.audit import SYSTEM, Actor, audit, no_task
from waybill.infra.tasks.notifications import (
    EMAIL,
    NOTICE,
    OF_ADMINS,
    OWN_EMAIL,
    SCHEDULE_PAUSED,
    mail_facts,
    receiver_bucket,
)
from waybill.infra.tasks.states import TaskStatus

log = logging.getLogger(__name__)

_schedule = schedule.c
Row = Mapping[str, Any] | sa.RowMapping


def pause(
    connection: Connection, now: datetime, row: Row, reason: WaybillError, *, named: str = ""
) -> None:
    """Pause the schedule of `row`, which is not paused and which this transaction has locked.

    `named` is the name of its saved export, if the caller knows it.
    """
    connection.execute(
        sa.update(schedule)
        .where(_schedule.id == row["id"])
        .values(
            paused_at=now,
            paused_code=reason.code,
            version=_schedule.version + 1,
            updated_at=now,
        )
    )
    detail = {"schedule": str(row["id"]), "code": reason.code}
    audit(
        connection, now, "schedule_paused", no_task(row["tenant_id"]), actor=SYSTEM, detail=detail
    )
    _notify(connection, now, row, reason, named)
    log.warning("schedule paused", extra=detail)


def _notify(
    connection: Connection, now: datetime, row: Row, reason: WaybillError, named: str
) -> None:
    source = sa.select(saved_export.c.name, saved_export.c.task_type).where(
        saved_export.c.id == row["saved_export_id"]
    )
    found = connection.execute(source).one_or_none()
    name, dataset = found or (named, "")
    detail = {
        "status": TaskStatus.FAILED,
        "type": dataset,
        "filename": named or name,
        "code": reason.code,
        "message": reason.message,
        "schedule_id": str(row["id"]),
    }
    own_address = (row["notify"] or {}).get(OWN_EMAIL)
    receivers = [(NOTICE, row["created_by"], None), (NOTICE, OF_ADMINS, None)]
    if own_address:
        receivers.append((EMAIL, row["created_by"], own_address))
    rows = [
        {
            "id": uuid4(),
            # Of no task. Each has an id of its own, as the key of the table asks for.
            "task_id": uuid4(),
            "tenant_id": row["tenant_id"],
            "user_id": user,
            "channel": channel,
            "event": SCHEDULE_PAUSED,
            "target": target,
            "bucket": receiver_bucket(channel, target),
            "detail": detail
            | (
                {"to_owner": True, **mail_facts(row["notify"] or {}, to_owner=True)}
                if channel == EMAIL
                else {}
            ),
            "created_at": now,
            "available_at": now,
            "delivered_at": now if channel == NOTICE else None,
        }
        for channel, user, target in receivers
    ]
    connection.execute(sa.insert(notification), rows)


def delete_schedules(
    connection: Connection, now: datetime, rows: Sequence[Row], actor: Actor
) -> None:
    """Delete schedules with their runs. Their tasks stay."""
    ids = [row["id"] for row in rows]
    connection.execute(sa.delete(schedule_run).where(schedule_run.c.schedule_id.in_(ids)))
    connection.execute(sa.delete(schedule).where(_schedule.id.in_(ids)))
    for row in rows:
        detail = {"schedule": str(row["id"])}
        task = no_task(row["tenant_id"])
        audit(connection, now, "schedule_deleted", task, actor=actor, detail=detail)
