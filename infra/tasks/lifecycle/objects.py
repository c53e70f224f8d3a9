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

from waybill.infra.db.tables import export_task, in_status, storage_object
from waybill.infra.tasks.model import Claim
from waybill.infra.tasks.states import TaskStatus

_object = storage_object.c
_task = export_task.c


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


def mark_stored(connection: Connection, key: str) -> None:
    """Record that a finished task refers to the object."""
    connection.execute(sa.update(storage_object).where(_object.key == key).values(state="STORED"))


def release_object(connection: Connection, key: str, task_id: UUID) -> None:
    """Record that `task_id` no longer refers to `key`; without any task it can be collected."""
    # Two tasks that release it at once would each see the other: one waits here for the other.
    connection.execute(sa.select(_object.key).where(_object.key == key).with_for_update())
    connection.execute(
        sa.update(storage_object)
        .where(_object.key == key, ~_referred_to(_task.id != task_id))
        .values(state="OPEN")
    )


def mark_unused(connection: Connection, key: str) -> None:
    """Record that no finished task refers to the object any more, if that is so."""
    connection.execute(
        sa.update(storage_object).where(_object.key == key, ~_referred_to()).values(state="OPEN")
    )


def orphaned_keys(connection: Connection, limit: int, after: str = "") -> list[str]:
    """Keys behind `after`, in order, that no task refers to and no live claim is writing."""
    being_written = sa.exists().where(
        _task.id == _object.task_id,
        _task.fence == _object.fence,
        # NULL: recorded by a process of an older version.
        sa.or_(_object.claim_id.is_(None), _task.claim_id == _object.claim_id),
        in_status(TaskStatus.PROCESSING),
    )
    query = (
        sa.select(_object.key)
        .where(_object.state == "OPEN", _object.key > after, ~being_written, ~_referred_to())
        .order_by(_object.key)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


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
    """The file of one finished task. Several tasks may share it."""

    key: str
    size_bytes: int
    position: FilePosition
    #: Of the bytes, or of a file in shards what `waybill.infra.tasks.tree_digest` makes.
    sha256: str | None


def finished_files(
    connection: Connection, limit: int, after: FilePosition | None = None
) -> list[FinishedFile]:
    """The files of finished tasks behind `after`, in the order of their retention's end."""
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
    return [
        FinishedFile(row.object_key, row.size_bytes, (row.expires_at, row.id), row.sha256)
        for row in connection.execute(query)
    ]


def forget_object(connection: Connection, key: str) -> None:
    """Remove a key from the record, once the store holds nothing under it."""
    connection.execute(sa.delete(storage_object).where(_object.key == key))


def _referred_to(*by: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The condition that a finished task refers to the object."""
    return (
        sa.exists()
        .where(_task.object_key == _object.key, in_status(TaskStatus.SUCCESS), *by)
        .correlate(storage_object)
    )
