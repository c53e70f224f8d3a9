"""Stored objects on record: reserved before an upload, kept while a finished task has them.

The record is written first, so collecting what no task refers to never has to guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from waybill.infra.db.tables import (
    LIVE,
    export_task,
    in_status,
    shard_plan,
    snapshot_holder,
    storage_object,
)
from waybill.infra.tasks.file_sets import is_set, of_set, record_written
from waybill.infra.tasks.model import Claim, Manifest
from waybill.infra.tasks.states import TaskStatus

_object = storage_object.c
_task = export_task.c
_plan = shard_plan.c

#: What tasks refer to: of a file of a set, the manifest.
_whole = sa.func.coalesce(_object.set_key, _object.key)


def reserve_object(
    connection: Connection,
    now: datetime,
    claim: Claim,
    key: str,
    held: Iterable[sa.ColumnElement[bool]],
) -> bool:
    """Record the key of an upload that is about to begin; False when `held` is no longer true."""
    record = {
        _object.key: key,
        _object.task_id: claim.task.id,
        _object.fence: claim.fence,
        _object.claim_id: claim.id,
        _object.state: "OPEN",
        _object.created_at: now,
    }
    values = sa.select(*(sa.literal(value, column.type) for column, value in record.items()))
    statement = storage_object.insert().from_select(
        list(record), values.where(sa.exists().where(*held))
    )
    return connection.execute(statement.returning(_object.key)).one_or_none() is not None


def mark_stored(connection: Connection, key: str, manifest: Manifest | None = None) -> None:
    """Record that a finished task refers to the object, which is a `manifest` where it is a set."""
    connection.execute(sa.update(storage_object).where(of_set(key)).values(state="STORED"))
    if manifest is not None:
        record_written(
            connection, key, rows=None, size_bytes=manifest.size_bytes, sha256=manifest.sha256
        )


def release_object(connection: Connection, key: str, task_id: UUID) -> None:
    """Record that `task_id` no longer refers to `key`; without any task it can be collected."""
    # Two tasks that release it at once would each see the other: one waits here for the other.
    connection.execute(sa.select(_object.key).where(_object.key == key).with_for_update())
    connection.execute(
        sa.update(storage_object)
        .where(of_set(key), ~_referred_to(_task.id != task_id))
        .values(state="OPEN")
    )


def mark_unused(connection: Connection, key: str) -> None:
    """Record that no finished task refers to the object any more, if that is so."""
    connection.execute(
        sa.update(storage_object).where(of_set(key), ~_referred_to()).values(state="OPEN")
    )


def orphaned_keys(connection: Connection, limit: int, after: str = "") -> list[str]:
    """Keys behind `after`, in order, that no task refers to and no live claim is writing.

    The upload of an export in shards is kept while its task is live: the next attempt may go on.
    """
    being_written = sa.exists().where(
        _task.id == _object.task_id,
        _task.fence == _object.fence,
        # NULL: recorded by a process of an older version.
        sa.or_(_object.claim_id.is_(None), _task.claim_id == _object.claim_id),
        in_status(TaskStatus.PROCESSING),
    )
    may_go_on = sa.exists().where(
        _plan.object_key == _whole, _plan.task_id == _task.id, _task.status.in_(LIVE)
    )
    free = (~being_written, ~may_go_on, ~_referred_to())
    query = (
        sa.select(_object.key)
        .where(_object.state == "OPEN", _object.key > after, *free)
        .order_by(_object.key)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def forget_plan(connection: Connection, task_id: UUID) -> None:
    """Delete the plan of a task that has no file in shards, or has it no more.

    Its upload, if it is still open, is collected after that.
    """
    connection.execute(sa.delete(shard_plan).where(_plan.task_id == task_id))


def forget_holders(connection: Connection, task_id: UUID) -> None:
    """Delete the names of the snapshot of a task that has its file: nobody reads it any more."""
    connection.execute(sa.delete(snapshot_holder).where(snapshot_holder.c.task_id == task_id))


def unrecorded_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Those of `keys` that are neither reserved nor the file of any task."""
    known = sa.union(
        sa.select(_object.key).where(_object.key.in_(keys)),
        sa.select(_task.object_key).where(_task.object_key.in_(keys)),
    )
    return set(keys) - set(connection.execute(known).scalars())


#: Where a finished task stands in the order of `finished_files`: when its file ends, and its id.
FilePosition = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class FinishedFile:
    """The file of one finished task, or one of its set. Several tasks may share it."""

    key: str
    size_bytes: int
    position: FilePosition
    #: Of the bytes, or of a file in shards what `waybill.infra.tasks.tree_digest` makes.
    sha256: str | None


def finished_files(
    connection: Connection, limit: int, after: FilePosition | None = None
) -> list[FinishedFile]:
    """The files of finished tasks behind `after`, in the order of their retention's end.

    At most `limit`, but for a set of more files: of a set, all files and the manifest are there.
    """
    query = (
        sa.select(_task.object_key, _task.size_bytes, _task.expires_at, _task.id, _task.sha256)
        .where(in_status(TaskStatus.SUCCESS), _task.expires_at.is_not(None))
        .order_by(_task.expires_at, _task.id)
        .limit(limit)
    )
    if after is not None:
        ends, task_id = after
        later = sa.and_(_task.expires_at == ends, _task.id > task_id)
        query = query.where(sa.or_(_task.expires_at > ends, later))
    found: list[FinishedFile] = []
    for row in connection.execute(query).all():
        position = (row.expires_at, row.id)
        own = [
            FinishedFile(key, size_bytes, position, sha256)
            for key, size_bytes, sha256 in _objects_of(
                connection, row.object_key, row.size_bytes, row.sha256
            )
        ]
        if found and len(found) + len(own) > limit:
            break
        found += own
    return found


def _objects_of(
    connection: Connection, key: str, size_bytes: int, sha256: str | None
) -> list[tuple[str, int, str | None]]:
    """The object of a task, or all of its set."""
    if not is_set(key):
        return [(key, size_bytes, sha256)]
    recorded = sa.select(_object.key, _object.size_bytes, _object.sha256)
    rows = connection.execute(recorded.where(of_set(key)).order_by(_object.key))
    return [(row.key, row.size_bytes, row.sha256) for row in rows]


def forget_object(connection: Connection, key: str) -> None:
    """Remove a key from the record, once the store holds nothing under it."""
    connection.execute(sa.delete(storage_object).where(_object.key == key))


def _referred_to(*by: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The condition that a finished task refers to the object."""
    return (
        sa.exists()
        .where(_task.object_key == _whole, in_status(TaskStatus.SUCCESS), *by)
        .correlate(storage_object)
    )
