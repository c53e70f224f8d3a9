"""Completion of a task: its followers, the rows counted for quotas, and its notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import export_task
from waybill.infra.tasks.audit import audit
from waybill.infra.tasks.file_keys import erase_keys
from waybill.infra.tasks.lifecycle.objects import forget_holders, forget_plan
from waybill.infra.tasks.lifecycle.quotas import count_rows
from waybill.infra.tasks.lifecycle.single_flight import (
    followers_of,
    live_leader,
    lock_leader,
    shared_columns,
)
from waybill.infra.tasks.lifecycle.transitions.moves import SHARE, move_tasks, update_tasks
from waybill.infra.tasks.model import TaskRow
from waybill.infra.tasks.notifications import insert_notifications
from waybill.infra.tasks.outbox import add_wake_up
from waybill.infra.tasks.states import LIVE, TaskStatus
from waybill.infra.tasks.tree_digest import is_tree_digest

_task = export_task.c

_NO_PROGRESS: dict[str, Any] = {
    "rows_done": 0,
    "rows_total": None,
    "bytes_uploaded": 0,
    "snapshot_at": None,
}


def complete(connection: Connection, now: datetime, row: TaskRow) -> None:
    """Side effects of completing a task, in the same transaction; none while `row` is live."""
    if row["status"] in LIVE:
        return
    if row["status"] != TaskStatus.SUCCESS:
        forget_plan(connection, row["id"])
    elif is_tree_digest(row["sha256"]):
        forget_holders(connection, row["id"])
    ended = [row, *complete_followers(connection, now, row)]
    count_rows(connection, now, [task for task in ended if task["status"] == TaskStatus.SUCCESS])
    for task in ended:
        erase_keys(connection, task)
        insert_notifications(connection, now, task)


def complete_followers(
    connection: Connection, now: datetime, leader: TaskRow
) -> list[sa.RowMapping]:
    """Give the file of `leader`, which has ended, to its followers; returns those that ended.

    A follower gets it if its key is the one the file was made under. The key can differ from
    the one it joined by, when the dataset or the rights of the leader have changed since: then
    the follower runs alone. A leader without a file promotes its oldest follower.
    """
    if leader["joined_id"] is not None:
        return []
    lock_leader(connection, leader["id"])
    if leader["status"] != TaskStatus.SUCCESS:
        promote_follower(connection, now, leader["id"])
        return []
    followers = followers_of(leader["id"])
    if connection.execute(sa.select(_task.id).where(*followers).limit(1)).first() is None:
        return []
    same_name = _task.filename == leader["filename"]
    # The recorded link names the file, so it fits only a task of the same file name.
    link = {
        name: sa.case((same_name, sa.literal(leader[name], _task[name].type)))
        for name in ("download_url", "url_expires_at")
    }
    completed = move_tasks(
        connection,
        now,
        SHARE,
        (*followers, _task.flight_key == leader["flight_key"]),
        detail=lambda _: {"leader": str(leader["id"])},
        finished_at=now,
        waiting_for=None,
        waiting_since=None,
        **shared_columns(leader, leader["filename"]) | link,
    )
    alone = {"joined_id": None, "flight_key": None, **_NO_PROGRESS}
    for row in update_tasks(connection, now, followers, **alone).all():
        _start(connection, now, row)
    return completed


def promote_follower(connection: Connection, now: datetime, leader_id: UUID) -> bool:
    """Let the oldest follower of a leader that has ended lead the others; False without any."""
    followers = followers_of(leader_id)
    waiting = connection.execute(
        sa.select(_task.id, _task.tenant_id, _task.flight_key)
        .where(*followers)
        .order_by(_task.created_at, _task.id)
        .with_for_update()
    ).all()
    if not waiting:
        return False
    oldest = waiting[0]
    # Another request can have begun to lead meanwhile only after a crash within this module.
    new_leader = connection.execute(
        live_leader(oldest.tenant_id, oldest.flight_key)
    ).scalar_one_or_none()
    if new_leader is None:
        new_leader = oldest.id
        lead = update_tasks(
            connection, now, (_task.id == new_leader,), joined_id=None, **_NO_PROGRESS
        )
        _start(connection, now, lead.one())
    update_tasks(connection, now, followers, joined_id=new_leader).close()
    return True


def _start(connection: Connection, now: datetime, row: sa.RowMapping) -> None:
    """Wake a task that has followed another one until now."""
    audit(connection, now, "lead", row)
    add_wake_up(connection, now, row, kind="lead")
