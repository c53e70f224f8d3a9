"""Shards of tasks that run: who writes which, and what was written.

A shard belongs to an attempt: to the one that planned it, or has taken its plan over
(`shard_plans`). A process may write it while that attempt holds its task and its own claim of the
shard stands; every write says both. The worker that has the task takes shards as well, and those
whose worker fell silent, so an export never waits for others to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.shards.plan import KeyRange, Shard, Snapshot
from waybill.infra.db.engine import database_now, read_statement, write_transaction
from waybill.infra.db.tables import (
    export_shard,
    export_task,
    in_status,
    shard_plan,
    snapshot_holder,
)
from waybill.infra.tasks.file_sets import file_key, is_set, record_written
from waybill.infra.tasks.lifecycle.runs import Pulse
from waybill.infra.tasks.model import Claim, Task, TaskProgress, TaskRow
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c
_plan = shard_plan.c
_shard = export_shard.c
_holder = snapshot_holder.c

#: Tries of other workers, after which only the worker that has the task takes it: an error ends
#: the attempt there, and not here.
_TRIES = 2


@dataclass(frozen=True, slots=True)
class SharedFile:
    """The object that shards are written into, or the manifest of their files."""

    key: str
    upload_id: str
    part_bytes: int
    #: Of all shards but the last one, which has what is left.
    rows_of_shard: int
    #: What the first rows decided for all.
    notes: dict[str, Any]
    #: Equal in two processes that would write the same bytes.
    fingerprint: str

    @property
    def is_set(self) -> bool:
        """Whether each shard is a file of a set, and `key` that of their manifest."""
        return is_set(self.key)


@dataclass(frozen=True, slots=True)
class PartNumbers:
    """The numbers of the parts of one shard."""

    first: int
    most: int


@dataclass(frozen=True, slots=True)
class ShardClaim:
    """The right to write one shard. Its fields are named as those of `Claim`."""

    task: Task
    #: Of the task.
    fence: int
    worker: str
    id: UUID
    file: SharedFile
    snapshot: Snapshot
    shard: Shard
    parts: PartNumbers
    #: How far an earlier claim came.
    reached: ReachedShard | None = None


@dataclass(frozen=True, slots=True)
class WrittenShard:
    """What is on record of a shard that is done, as JSON."""

    parts: list[dict[str, Any]]
    outcome: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReachedShard:
    """What is on record of a shard while it is written: all up to one of its rows, as JSON."""

    rows: int
    parts: list[dict[str, Any]]
    #: What writing goes on with.
    reached: dict[str, Any]

    @property
    def size_bytes(self) -> int:
        """Of the parts."""
        return sum(part["size_bytes"] for part in self.parts)


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far the shards of one task are, together."""

    shards: int = 0
    done: int = 0
    rows_done: int = 0
    bytes_uploaded: int = 0


class TaskShards:
    """Reads and writes the shards of tasks. Safe to use from any number of processes."""

    def __init__(self, engine: Engine, lease: timedelta) -> None:
        self._engine = engine
        self._lease = lease

    def claim_own(self, claim: Claim) -> ShardClaim | None:
        """Claim a shard of the task that `claim` is of; None when there is none to claim now."""
        return self._claim(
            claim.worker,
            lease=None,
            where=(_task.id == claim.task.id, _task.fence == claim.fence),
        )

    def claim_next(self, queue: str, worker: str) -> ShardClaim | None:
        """Claim a shard of any task of `queue`; None when there is none to claim now."""
        is_open = sa.select(sa.true()).where(_shard.queue == queue, _shard.state != "DONE").limit(1)
        with read_statement(self._engine) as connection:
            if connection.execute(is_open).one_or_none() is None:
                return None
        return self._claim(
            worker, lease=self._lease, where=(_shard.queue == queue, _shard.tries < _TRIES)
        )

    def _claim(
        self, worker: str, *, lease: timedelta | None, where: Sequence[sa.ColumnElement[bool]]
    ) -> ShardClaim | None:
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            free = sa.or_(_shard.state == "WAITING", _silent(now))
            found = connection.execute(
                sa.select(_shard.task_id, _shard.number, _shard.reached)
                .join(export_task, _task.id == _shard.task_id)
                .where(*where, free, _is_wanted())
                .order_by(_task.started_at, _shard.task_id, _shard.number)
                .limit(1)
                .with_for_update(skip_locked=True, of=export_shard)
            ).one_or_none()
            if found is None:
                return None
            claim_id = uuid4()
            reached = _reached(found.reached)
            connection.execute(
                sa.update(export_shard)
                .where(_shard.task_id == found.task_id, _shard.number == found.number)
                .values(
                    state="RUNNING",
                    claim_id=claim_id,
                    lease_owner=worker,
                    lease_expires_at=None if lease is None else now + lease,
                    tries=_shard.tries + (0 if lease is None else 1),
                    rows_done=reached.rows if reached else 0,
                    bytes_uploaded=reached.size_bytes if reached else 0,
                )
            )
            return _read(connection, found.task_id, found.number, worker, claim_id)

    def heartbeat(self, claim: ShardClaim, progress: TaskProgress) -> Pulse:
        """Renew the lease of a shard, record its progress, and learn whether to go on."""
        with write_transaction(self._engine) as connection:
            changed = self._change(
                connection,
                claim,
                rows_done=progress.rows_done,
                bytes_uploaded=progress.bytes_uploaded,
                lease_expires_at=sa.case(
                    (_shard.lease_expires_at.is_(None), None),
                    else_=sa.literal(
                        database_now(connection) + self._lease, _shard.lease_expires_at.type
                    ),
                ),
            )
        return Pulse.ALIVE if changed else Pulse.LOST

    def record(self, claim: ShardClaim, reached: ReachedShard) -> bool:
        """Record how far a shard is written; False when its claim is lost."""
        with write_transaction(self._engine) as connection:
            return self._change(
                connection,
                claim,
                rows_done=reached.rows,
                bytes_uploaded=reached.size_bytes,
                reached=asdict(reached),
            )

    def finish(self, claim: ShardClaim, written: WrittenShard, progress: TaskProgress) -> bool:
        """Record that a shard is written; False when its claim is lost."""
        with write_transaction(self._engine) as connection:
            is_ours = self._change(
                connection,
                claim,
                state="DONE",
                lease_expires_at=None,
                rows_done=progress.rows_done,
                bytes_uploaded=progress.bytes_uploaded,
                reached=sa.null(),
                **asdict(written),
            )
            if is_ours and claim.file.is_set:
                record_written(
                    connection,
                    file_key(claim.file.key, claim.shard.number),
                    rows=progress.rows_done,
                    size_bytes=progress.bytes_uploaded,
                    # Of a file in one piece.
                    sha256=written.outcome["leaves"][0][1],
                )
        return is_ours

    def release(self, claim: ShardClaim, *, keep: bool = True) -> bool:
        """Return a shard that was not written; False when its claim is lost.

        Unless it is to `keep` what was written, the next claim begins at its first row.
        """
        begin_again = {} if keep else {"reached": sa.null(), "rows_done": 0, "bytes_uploaded": 0}
        with write_transaction(self._engine) as connection:
            return self._change(
                connection,
                claim,
                state="WAITING",
                claim_id=None,
                lease_owner=None,
                lease_expires_at=None,
                **begin_again,
            )

    def progress(self, task_id: UUID) -> ShardProgress:
        """How far the shards of a task are; zeros for one without."""
        query = sa.select(
            sa.func.count(),
            sa.func.count(sa.case((_shard.state == "DONE", 1))),
            sa.func.coalesce(sa.func.sum(_shard.rows_done), 0),
            sa.func.coalesce(sa.func.sum(_shard.bytes_uploaded), 0),
        ).where(_shard.task_id == task_id)
        with read_statement(self._engine) as connection:
            shards, done, rows, size = connection.execute(query).one()
        return ShardProgress(shards, done, int(rows), int(size))

    def written(self, claim: Claim) -> list[WrittenShard] | None:
        """What every shard of this attempt left, in order; None unless all are done."""
        query = (
            sa.select(_shard.state, _shard.parts, _shard.outcome)
            .where(_shard.task_id == claim.task.id, _shard.fence == claim.fence)
            .order_by(_shard.number)
        )
        with read_statement(self._engine) as connection:
            rows = connection.execute(query).all()
        if not rows or any(row.state != "DONE" for row in rows):
            return None
        return [WrittenShard(row.parts, row.outcome) for row in rows]

    def _change(self, connection: Connection, claim: ShardClaim, **values: Any) -> bool:
        """The one conditional UPDATE of a worker that has a shard."""
        wanted = sa.exists().where(
            _task.id == _shard.task_id, _task.fence == _shard.fence, _is_wanted()
        )
        changed = connection.execute(
            sa.update(export_shard)
            .where(
                _shard.task_id == claim.task.id,
                _shard.number == claim.shard.number,
                _shard.fence == claim.fence,
                _shard.claim_id == claim.id,
                _shard.state == "RUNNING",
                wanted,
            )
            .values(**values)
        )
        return changed.rowcount == 1


def _is_wanted() -> sa.ColumnElement[bool]:
    """The condition that the attempt of a shard goes on."""
    return sa.and_(
        _task.fence == _shard.fence,
        in_status(TaskStatus.PROCESSING),
        _task.cancel_requested_at.is_(None),
    )


def _silent(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(_shard.state == "RUNNING", _shard.lease_expires_at < now)


def _read(
    connection: Connection, task_id: UUID, number: int, worker: str, claim_id: UUID
) -> ShardClaim:
    task = connection.execute(sa.select(export_task).where(_task.id == task_id)).mappings().one()
    plan = (
        connection.execute(sa.select(shard_plan).where(_plan.task_id == task_id)).mappings().one()
    )
    query = sa.select(export_shard).where(_shard.task_id == task_id, _shard.number == number)
    row = connection.execute(query).mappings().one()
    return ShardClaim(
        task=Task.from_row(task),
        fence=row["fence"],
        worker=worker,
        id=claim_id,
        file=file_of(plan),
        snapshot=snapshot_of(connection, plan),
        shard=shard_of(row),
        parts=PartNumbers(row["first_part"], row["most_parts"]),
        reached=_reached(row["reached"]),
    )


def _reached(value: dict[str, Any] | None) -> ReachedShard | None:
    return None if value is None else ReachedShard(**value)


def file_of(plan: TaskRow) -> SharedFile:
    """The object of a row of ``shard_plan``."""
    return SharedFile(
        plan["object_key"],
        plan["upload_id"],
        plan["part_bytes"],
        plan["rows_of_shard"],
        plan["notes"],
        plan["fingerprint"],
    )


def shard_of(row: TaskRow) -> Shard:
    """The range of rows of a row of ``export_shard``."""
    return Shard(row["number"], row["rows"], KeyRange(row["lower_key"], row["upper_key"]))


def snapshot_of(connection: Connection, plan: TaskRow) -> Snapshot:
    """What a row of ``shard_plan`` reads, by all names on record."""
    query = (
        sa.select(_holder.name)
        .where(_holder.task_id == plan["task_id"])
        .order_by(_holder.held_at.desc(), _holder.held_by)
    )
    return Snapshot(
        plan["snapshot"],
        plan["snapshot_at"],
        plan["rows"],
        plan["snapshot_state"],
        tuple(connection.execute(query).scalars()),
    )
