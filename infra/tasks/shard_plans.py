"""Plans of exports in shards: begun by one attempt, taken over by the next, or forgotten.

A plan outlives the attempt that made it while its task may run again, and so does its upload. It is
taken over by one conditional UPDATE, after which the earlier attempt, should it still live, can
neither write a shard nor give the upload up. Sessions that hold the snapshot of a plan are listed
beside it; such a name is a hint, and who uses one checks where it leads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.shards.plan import Shard, ShardPlan, Snapshot
from waybill.infra.db.engine import database_now, read_transaction, write_transaction
from waybill.infra.db.inserts import insert
from waybill.infra.db.tables import (
    LIVE,
    export_shard,
    export_task,
    shard_plan,
    snapshot_holder,
    storage_object,
)
from waybill.infra.tasks.audit import Actor, audit
from waybill.infra.tasks.file_sets import is_set, of_set, record_files
from waybill.infra.tasks.lifecycle.runs import held
from waybill.infra.tasks.model import Claim, TaskRow
from waybill.infra.tasks.outbox import add_wake_up
from waybill.infra.tasks.shards import PartNumbers, SharedFile, file_of, shard_of, snapshot_of
from waybill.infra.tasks.states import TaskStatus

_task = export_task.c
_plan = shard_plan.c
_shard = export_shard.c
_holder = snapshot_holder.c
_object = storage_object.c


@dataclass(frozen=True, slots=True)
class LeftPlan:
    """What an earlier attempt of a task has left."""

    #: Of that attempt.
    fence: int
    file: SharedFile
    snapshot: Snapshot
    shards: Sequence[Shard]
    #: How many of them are written.
    done: int
    #: Rows that are written, of these and of others.
    rows_done: int


@dataclass(frozen=True, slots=True)
class LivePlan:
    """The plan of a task that has not ended."""

    upload_id: str
    #: Whether a worker has the task at this moment.
    is_running: bool


class ShardPlans:
    """Reads and writes the plans of tasks. Safe to use from any number of processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(
        self, claim: Claim, file: SharedFile, plan: ShardPlan, numbers: Sequence[PartNumbers]
    ) -> bool:
        """Record the plan of an attempt, and wake workers; False when the claim is lost."""
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            row = _locked(connection, claim)
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
            if is_set(file.key):
                record_files(
                    connection,
                    file.key,
                    [(shard.number, shard.rows) for shard in plan.shards],
                    task_id=row["id"],
                    fence=claim.fence,
                    claim_id=claim.id,
                    created_at=now,
                )
            _wake_up(connection, now, row, [shard.number for shard in plan.shards[1:]])
        return True

    def left(self, claim: Claim) -> LeftPlan | None:
        """What an earlier attempt of the task has left; None without a plan."""
        task_id = claim.task.id
        with read_transaction(self._engine) as connection:
            plan = (
                connection.execute(
                    sa.select(shard_plan).where(_plan.task_id == task_id, _plan.fence < claim.fence)
                )
                .mappings()
                .one_or_none()
            )
            if plan is None:
                return None
            shards = connection.execute(
                sa.select(export_shard).where(_shard.task_id == task_id).order_by(_shard.number)
            )
            rows = shards.mappings().all()
            snapshot = snapshot_of(connection, plan)
        done = [row for row in rows if row["state"] == "DONE"]
        return LeftPlan(
            plan["fence"],
            file_of(plan),
            snapshot,
            [shard_of(row) for row in rows],
            len(done),
            sum(row["rows"] for row in done)
            + sum(row["reached"]["rows"] for row in rows if row["reached"] is not None),
        )

    def adopt(self, claim: Claim, left: LeftPlan, snapshot: Snapshot) -> bool:
        """Take the plan of an earlier attempt over, with its upload and the shards it has written.

        `snapshot` is the one to read, under the name that a session of this process gave it. False
        when the claim is lost, or the plan is not `left` any more.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            row = _locked(connection, claim)
            if row is None:
                return False
            task_id = row["id"]
            changed = connection.execute(
                sa.update(shard_plan)
                .where(
                    _plan.task_id == task_id,
                    _plan.fence == left.fence,
                    _plan.upload_id == left.file.upload_id,
                )
                .values(
                    fence=claim.fence,
                    snapshot=snapshot.name,
                    snapshot_state=dict(snapshot.state),
                )
            )
            if changed.rowcount != 1:
                return False
            connection.execute(
                sa.update(export_shard)
                .where(_shard.task_id == task_id)
                .values(fence=claim.fence, lease_expires_at=None)
            )
            connection.execute(
                sa.update(export_shard)
                .where(_shard.task_id == task_id, _shard.state == "RUNNING")
                .values(state="WAITING", claim_id=None, lease_owner=None)
            )
            connection.execute(
                sa.update(storage_object)
                .where(of_set(left.file.key))
                .values(fence=claim.fence, claim_id=claim.id)
            )
            waiting = connection.execute(
                sa.select(_shard.number).where(_shard.task_id == task_id, _shard.state == "WAITING")
            )
            _wake_up(connection, now, row, list(waiting.scalars()))
            _audit(connection, now, "resume", row, claim, left.done, rows=left.rows_done)
        return True

    def forget(self, claim: Claim, why: str | None = None) -> str | None:
        """Delete the plan of the task, of this attempt or an earlier one; who writes one stops.

        Returns the key of its upload, which nobody goes on with now and which may be aborted; None
        without a plan, or when the claim is lost. `why` the export begins at row 0 goes into the
        audit log.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            row = _locked(connection, claim)
            if row is None:
                return None
            done = connection.execute(
                sa.select(sa.func.count()).where(
                    _shard.task_id == row["id"], _shard.state == "DONE"
                )
            ).scalar_one()
            key: str | None = connection.execute(
                sa.delete(shard_plan).where(_plan.task_id == row["id"]).returning(_plan.object_key)
            ).scalar_one_or_none()
            if key is not None and why is not None:
                _audit(connection, now, "start_over", row, claim, done, why=why)
        return key

    def add_holder(self, task_id: UUID, upload_id: str, worker: str, name: str) -> bool:
        """Record that a session of `worker` holds the snapshot as `name`; False without the plan.

        A task that has ended has none that is of use. A worker has one such session for a plan; an
        earlier name of it is replaced.
        """
        with write_transaction(self._engine) as connection:
            plan = connection.execute(
                sa.select(_plan.task_id)
                .join(export_task, _task.id == _plan.task_id)
                .where(
                    _plan.task_id == task_id, _plan.upload_id == upload_id, _task.status.in_(LIVE)
                )
                .with_for_update(of=shard_plan)
            ).one_or_none()
            if plan is None:
                return False
            new = {"name": name, "held_at": database_now(connection)}
            connection.execute(
                insert(connection, snapshot_holder)
                .values(task_id=task_id, held_by=worker, **new)
                .on_conflict_do_update(index_elements=["task_id", "held_by"], set_=new)
            )
        return True

    def drop_holder(self, task_id: UUID, name: str) -> None:
        """Record that the session which held the snapshot as `name` has ended."""
        with write_transaction(self._engine) as connection:
            connection.execute(
                sa.delete(snapshot_holder).where(_holder.task_id == task_id, _holder.name == name)
            )

    def live(self, tasks: Collection[UUID]) -> Mapping[UUID, LivePlan]:
        """The plans of those of `tasks` that have not ended."""
        query = (
            sa.select(_plan.task_id, _plan.upload_id, _task.status)
            .join(export_task, _task.id == _plan.task_id)
            .where(_plan.task_id.in_(tasks), _task.status.in_(LIVE))
        )
        with read_transaction(self._engine) as connection:
            return {
                row.task_id: LivePlan(row.upload_id, row.status == TaskStatus.PROCESSING)
                for row in connection.execute(query)
            }


def _locked(connection: Connection, claim: Claim) -> TaskRow | None:
    """The row of the task, until the end of the transaction; None when the claim is lost."""
    query = sa.select(export_task).where(*held(claim)).with_for_update()
    return connection.execute(query).mappings().one_or_none()


def _wake_up(connection: Connection, now: datetime, row: TaskRow, shards: Sequence[int]) -> None:
    for number in shards:
        add_wake_up(connection, now, row, kind=f"shard-{number}")


def _audit(
    connection: Connection,
    now: datetime,
    action: str,
    row: TaskRow,
    claim: Claim,
    done: int,
    **detail: Any,
) -> None:
    detail = {"attempt": row["attempt"], "shards_done": done, **detail}
    audit(connection, now, action, row, actor=Actor.worker(claim.worker), detail=detail)
