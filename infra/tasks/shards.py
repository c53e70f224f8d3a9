"""Shards of tasks that run: their plan, who writes which, and what was written.

A shard belongs to an attempt. A process may write it while that attempt holds its task and its own
claim of the shard stands; every write says both. The worker that has the task takes shards
as well, and those whose worker fell silent, so an export never waits for others to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.shards.plan import KeyRange, Shard, ShardPlan, Snapshot
from waybill.infra.db.engine import database_now, read_statement, write_transaction
from waybill.infra.db.tables import export_shard, export_task, in_status, shard_plan
from waybill.infra.tasks.lifecycle.runs import Pulse, held
from waybill.infra.tasks.model import Claim, Task, TaskProgress
from waybill.infra.tasks.outbox import add_wake_up
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c
_plan = shard_plan.c
_shard = export_shard.c

#: Tries of other workers, after which only the worker that has the task takes it: an error ends
#: the attempt there, and not here.
_TRIES = 2


@dataclass(frozen=True, slots=True)
class SharedFile:
    """The object that shards are written into."""

    key: str
    upload_id: str
    part_bytes: int
    #: Of all shards but the last one, which has what is left.
    rows_of_shard: int
    #: What the first rows decided for all.
    notes: dict[str, Any]
    #: Equal in two processes that would write the same bytes.
    fingerprint: str


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


@dataclass(frozen=True, slots=True)
class WrittenShard:
    """What is on record of a shard that is done, as JSON."""

    parts: list[dict[str, Any]]
    outcome: dict[str, Any]


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

    def begin(
        self, claim: Claim, file: SharedFile, plan: ShardPlan, numbers: Sequence[PartNumbers]
    ) -> bool:
        """Record the plan of an attempt, and wake workers; False when the claim is lost."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            task = connection.execute(
                sa.select(_task.id, _task.fence, _task.queue).where(*held(claim)).with_for_update()
            ).mappings()
            row = task.one_or_none()
            if row is None:
                return False
            connection.execute(sa.delete(shard_plan).where(_plan.task_id == row["id"]))
            snapshot = plan.snapshot
            connection.execute(
                sa.insert(shard_plan).values(
                    task_id=row["id"],
                    fence=claim.fence,
                    fingerprint=file.fingerprint,
                    object_key=file.key,
                    upload_id=file.upload_id,
                    part_bytes=file.part_bytes,
                    rows_of_shard=file.rows_of_shard,
                    notes=file.notes,
                    snapshot=snapshot.name,
                    snapshot_at=snapshot.taken_at,
                    snapshot_state=dict(snapshot.state),
                    rows=snapshot.rows,
                )
            )
            connection.execute(
                sa.insert(export_shard),
                [
                    {
                        "task_id": row["id"],
                        "number": shard.number,
                        "fence": claim.fence,
                        "queue": row["queue"],
                        "state": "WAITING",
                        "rows": shard.rows,
                        "lower_key": shard.keys.lower,
                        "upper_key": shard.keys.upper,
                        "first_part": own.first,
                        "most_parts": own.most,
                    }
                    for shard, own in zip(plan.shards, numbers, strict=True)
                ],
            )
            for shard in plan.shards[1:]:
                add_wake_up(connection, now, row, kind=f"shard-{shard.number}")
        return True

    def forget(self, claim: Claim) -> None:
        """Delete the plan of the task, of this attempt or an earlier one; who writes one stops."""
        with write_transaction(self._engine) as connection:
            connection.execute(
                sa.delete(shard_plan).where(
                    _plan.task_id == claim.task.id,
                    sa.exists().where(*held(claim)),
                )
            )

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
                sa.select(_shard.task_id, _shard.number)
                .join(export_task, _task.id == _shard.task_id)
                .where(*where, free, _is_wanted())
                .order_by(_task.started_at, _shard.task_id, _shard.number)
                .limit(1)
                .with_for_update(skip_locked=True, of=export_shard)
            ).one_or_none()
            if found is None:
                return None
            claim_id = uuid4()
            connection.execute(
                sa.update(export_shard)
                .where(_shard.task_id == found.task_id, _shard.number == found.number)
                .values(
                    state="RUNNING",
                    claim_id=claim_id,
                    lease_owner=worker,
                    lease_expires_at=None if lease is None else now + lease,
                    tries=_shard.tries + (0 if lease is None else 1),
                    rows_done=0,
                    bytes_uploaded=0,
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

    def finish(self, claim: ShardClaim, written: WrittenShard, progress: TaskProgress) -> bool:
        """Record that a shard is written; False when its claim is lost."""
        with write_transaction(self._engine) as connection:
            return self._change(
                connection,
                claim,
                state="DONE",
                lease_expires_at=None,
                rows_done=progress.rows_done,
                bytes_uploaded=progress.bytes_uploaded,
                **asdict(written),
            )

    def release(self, claim: ShardClaim) -> bool:
        """Return a shard that was not written; False when its claim is lost."""
        with write_transaction(self._engine) as connection:
            return self._change(
                connection,
                claim,
                state="WAITING",
                claim_id=None,
                lease_owner=None,
                lease_expires_at=None,
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
    row = (
        connection.execute(
            sa.select(export_shard, shard_plan)
            .join(shard_plan, _plan.task_id == _shard.task_id)
            .where(_shard.task_id == task_id, _shard.number == number)
        )
        .mappings()
        .one()
    )
    return ShardClaim(
        task=Task.from_row(task),
        fence=row[_shard.fence],
        worker=worker,
        id=claim_id,
        file=SharedFile(
            row[_plan.object_key],
            row[_plan.upload_id],
            row[_plan.part_bytes],
            row[_plan.rows_of_shard],
            row[_plan.notes],
            row[_plan.fingerprint],
        ),
        snapshot=Snapshot(
            row[_plan.snapshot], row[_plan.snapshot_at], row[_plan.rows], row[_plan.snapshot_state]
        ),
        shard=Shard(
            number, row[_shard.rows], KeyRange(row[_shard.lower_key], row[_shard.upper_key])
        ),
        parts=PartNumbers(row[_shard.first_part], row[_shard.most_parts]),
    )
