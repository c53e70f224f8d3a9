"""Single flight: equal requests of one tenant share one run, and its file.

::

    leader     joined_id NULL       claimed and run like any task
    follower   joined_id = leader   PENDING, never claimed; ends with its leader's file

A unique index allows one live leader for each key. A request that joins holds a shared lock on
its leader's name, and the end of the leader an exclusive one: no follower joins a leader that
has ended, and none that has joined is overlooked. `waybill.infra.exports.single_flight_key`
makes the keys; `waybill.infra.tasks.lifecycle.transitions` completes and promotes followers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import advisory_lock
from waybill.infra.db.tables import export_task, in_status, storage_object
from waybill.infra.tasks.model import SingleFlight, TaskRow
from waybill.infra.tasks.states import LIVE, TaskStatus

_task = export_task.c

#: Columns with the same value for all tasks that share a file.
_FILE_COLUMNS = (
    *("object_key", "etag", "sha256", "size_bytes", "bytes_uploaded", "expires_at"),
    *("rows_source", "rows_written", "rows_done", "rows_total", "snapshot_at", "warnings"),
    "files",
)


def shared_columns(source: TaskRow, filename: str) -> dict[str, Any]:
    """The columns of a task that has the file of `source` under the name `filename`."""
    # The recorded link names the file; another name needs another link, signed on request.
    same = source["filename"] == filename
    link = {name: source[name] if same else None for name in ("download_url", "url_expires_at")}
    return {name: source[name] for name in _FILE_COLUMNS} | link


def fresh_file(
    connection: Connection, now: datetime, user: Principal, shared: SingleFlight, digest: str
) -> sa.RowMapping | None:
    """The newest finished task with a file young enough to reuse; `user`'s own if there is one.

    Its object cannot be released before this transaction ends.
    """
    own = sa.and_(_task.created_by == user.user, _task.request_hash == digest)
    query = (
        sa.select(export_task)
        .join(storage_object, storage_object.c.key == _task.object_key)
        .where(
            _task.tenant_id == user.tenant,
            _task.flight_key == shared.key,
            in_status(TaskStatus.SUCCESS),
            _task.snapshot_at > now - shared.reuse_for,
            _task.expires_at > now + shared.least_life,
            storage_object.c.state == "STORED",
        )
        .order_by(_task.snapshot_at.desc(), sa.case((own, 0), else_=1))
        .limit(1)
        .with_for_update(read=True, of=storage_object)
    )
    return connection.execute(query).mappings().one_or_none()


def join_leader(connection: Connection, tenant: str, key: str) -> UUID | None:
    """Lock and return the live leader of this single-flight group.

    The leader cannot end before this transaction does.
    """
    query = live_leader(tenant, key)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        return None
    lock_leader(connection, found, shared=True)
    # It may have ended while this transaction waited for the lock.
    return connection.execute(query.where(_task.id == found)).scalar_one_or_none()


def lock_leader(connection: Connection, leader_id: UUID, *, shared: bool = False) -> None:
    """Take the lock of a leader: shared to join it, exclusive to end it."""
    advisory_lock(connection, "flight", str(leader_id), shared=shared)


def live_leader(tenant: str, key: str) -> sa.Select[UUID]:
    """The query for the one live leader of a key."""
    return sa.select(_task.id).where(
        _task.tenant_id == tenant,
        _task.flight_key == key,
        _task.joined_id.is_(None),
        in_status(*LIVE),
    )


def followers_of(leader_id: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions of the tasks that wait for the file of this leader."""
    return (_task.joined_id == leader_id, in_status(TaskStatus.PENDING))


def followers_without_leader(connection: Connection, limit: int) -> list[UUID]:
    """Leaders that have ended or were deleted while followers still wait for them."""
    leader = export_task.alias("leader")
    live = sa.exists().where(leader.c.id == _task.joined_id, leader.c.status.in_(LIVE))
    query = sa.select(_task.joined_id).where(
        _task.joined_id.is_not(None), in_status(TaskStatus.PENDING), ~live
    )
    return list(connection.execute(query.distinct().limit(limit)).scalars())
