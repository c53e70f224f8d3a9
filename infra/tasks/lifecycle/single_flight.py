"""Single flight: equal requests of one tenant share one run, and its file.

::

    leader     joined_id NULL       claimed and run like any task
    follower   joined_id = leader   PENDING, never claimed; ends with its leader's file

A unique index allows one live leader for each flight key. Whoever joins holds a shared lock
on the leader's name, whoever ends it an exclusive one: no follower joins a leader that has
ended, and none that has joined is overlooked. `infra/exports/single_flight_key.py` makes the keys.
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
from waybill.infra.tasks.audit import TaskRow, audit, wake
from waybill.infra.tasks.lifecycle.updates import change_tasks
from waybill.infra.tasks.model import Flight
from waybill.infra.tasks.states import LIVE, TaskStatus

_t = export_task.c

#: What all tasks that share a file say about it.
_FACTS = (
    *("object_key", "etag", "sha256", "size_bytes", "bytes_uploaded", "expires_at"),
    *("rows_source", "rows_written", "rows_done", "rows_total", "snapshot_at", "warnings"),
)
_NO_PROGRESS: dict[str, Any] = {
    "rows_done": 0,
    "rows_total": None,
    "bytes_uploaded": 0,
    "snapshot_at": None,
}


def facts_of(source: TaskRow, filename: str) -> dict[str, Any]:
    """The columns of a task that refers to the file of `source`, under its own name."""
    # The recorded link names the file; another name needs another link, made when asked for.
    same = source["filename"] == filename
    link = {name: source[name] if same else None for name in ("download_url", "url_expires_at")}
    return {name: source[name] for name in _FACTS} | link


def fresh_file(
    connection: Connection, now: datetime, user: Principal, flight: Flight, digest: str
) -> sa.RowMapping | None:
    """The newest finished task of the flight that is young enough; `user`'s own if there is one.

    Its object cannot be let go of before this transaction ends.
    """
    own = sa.and_(_t.created_by == user.user, _t.request_hash == digest)
    query = (
        sa.select(export_task)
        .join(storage_object, storage_object.c.key == _t.object_key)
        .where(
            _t.tenant_id == user.tenant,
            _t.flight_key == flight.key,
            in_status(TaskStatus.SUCCESS),
            _t.snapshot_at > now - flight.reuse_for,
            _t.expires_at > now + flight.least_life,
            storage_object.c.state == "STORED",
        )
        .order_by(_t.snapshot_at.desc(), sa.case((own, 0), else_=1))
        .limit(1)
        .with_for_update(read=True, of=storage_object)
    )
    return connection.execute(query).mappings().one_or_none()


def board(connection: Connection, user: Principal, flight: Flight) -> UUID | None:
    """The live leader of the flight, which now cannot end before this transaction does."""
    query = sa.select(_t.id).where(
        _t.tenant_id == user.tenant,
        _t.flight_key == flight.key,
        _t.joined_id.is_(None),
        in_status(*LIVE),
    )
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        return None
    advisory_lock(connection, "flight", str(found), shared=True)
    # It may have ended while we waited.
    leader: UUID | None = connection.execute(query.where(_t.id == found)).scalar_one_or_none()
    return leader


def show_progress(
    connection: Connection, now: datetime, leader_id: UUID, progress: dict[str, Any]
) -> None:
    """Let followers see how far their leader is."""
    change_tasks(connection, now, _followers_of(leader_id), **progress).close()


def land(connection: Connection, now: datetime, leader: TaskRow) -> list[sa.RowMapping]:
    """Do for the followers what the end of `leader` means to them; those that ended with it.

    The file goes to those whose key is the one it was made under. It can differ from the key
    they joined by, when the dataset or the rights of the leader have changed since: then each
    of them runs alone. A leader without a file hands over to its oldest follower.
    """
    if leader["joined_id"] is not None:
        return []
    advisory_lock(connection, "flight", str(leader["id"]))
    if TaskStatus(leader["status"]) != TaskStatus.SUCCESS:
        hand_over(connection, now, leader["id"])
        return []
    same_name = _t.filename == leader["filename"]
    landed = change_tasks(
        connection,
        now,
        (*_followers_of(leader["id"]), _t.flight_key == leader["flight_key"]),
        **facts_of(leader, leader["filename"])
        | {
            "status": TaskStatus.SUCCESS,
            "finished_at": now,
            **{
                name: sa.case((same_name, sa.literal(leader[name], _t[name].type)))
                for name in ("download_url", "url_expires_at")
            },
        },
    ).all()
    for row in landed:
        edge = (TaskStatus.PENDING, TaskStatus.SUCCESS)
        audit(connection, now, "share", row, change=edge, detail={"leader": str(leader["id"])})
    alone = {"joined_id": None, "flight_key": None, **_NO_PROGRESS}
    for row in change_tasks(connection, now, _followers_of(leader["id"]), **alone).all():
        _start(connection, now, row)
    return list(landed)


def hand_over(connection: Connection, now: datetime, leader_id: UUID) -> bool:
    """Let the oldest follower of a leader that has ended lead the others; False without any."""
    waiting = connection.execute(
        sa.select(_t.id, _t.tenant_id, _t.flight_key)
        .where(*_followers_of(leader_id))
        .order_by(_t.created_at, _t.id)
        .with_for_update()
    ).all()
    if not waiting:
        return False
    oldest = waiting[0]
    # Only after a crash of our own making: another request may have begun to lead meanwhile.
    heir = connection.execute(
        sa.select(_t.id).where(
            _t.tenant_id == oldest.tenant_id,
            _t.flight_key == oldest.flight_key,
            _t.joined_id.is_(None),
            in_status(*LIVE),
        )
    ).scalar_one_or_none()
    if heir is None:
        heir = oldest.id
        lead = change_tasks(connection, now, (_t.id == heir,), joined_id=None, **_NO_PROGRESS)
        _start(connection, now, lead.one())
    change_tasks(connection, now, _followers_of(leader_id), joined_id=heir).close()
    return True


def strays(connection: Connection, limit: int) -> list[UUID]:
    """Leaders that have ended, or are gone, while others still wait for them."""
    leader = export_task.alias("leader")
    live = sa.exists().where(leader.c.id == _t.joined_id, leader.c.status.in_(LIVE))
    query = sa.select(_t.joined_id).where(
        _t.joined_id.is_not(None), in_status(TaskStatus.PENDING), ~live
    )
    return list(connection.execute(query.distinct().limit(limit)).scalars())


def _start(connection: Connection, now: datetime, row: sa.RowMapping) -> None:
    """Wake a task that has waited for another one until now."""
    audit(connection, now, "lead", row)
    wake(connection, now, row["id"], kind="lead", fence=row["fence"], queue=row["queue"])


def _followers_of(leader_id: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return (_t.joined_id == leader_id, in_status(TaskStatus.PENDING))
