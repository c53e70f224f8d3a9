"""The one statement by which tasks change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import export_task

#: What every end of a claim sets.
LEASE_OVER: dict[str, Any] = {"lease_owner": None, "lease_expires_at": None}


def change_task(
    connection: Connection,
    now: datetime,
    conditions: tuple[sa.ColumnElement[bool], ...],
    **values: Any,
) -> sa.RowMapping | None:
    """One conditional UPDATE of one task. None when no row matched."""
    return change_tasks(connection, now, conditions, **values).one_or_none()


def change_tasks(
    connection: Connection,
    now: datetime,
    conditions: tuple[sa.ColumnElement[bool], ...],
    **values: Any,
) -> sa.MappingResult:
    """One conditional UPDATE; the rows that matched, as they are now."""
    statement = (
        sa.update(export_task)
        .where(*conditions)
        .values(**values, version=export_task.c.version + 1, updated_at=now)
        .returning(*export_task.c)
    )
    return connection.execute(statement).mappings()
