"""What workers do with tasks: claim, keep alive, finish, fail, give back.

Every write after a claim names the claim's fence. A worker that lost its lease, was paused,
or lives on the wrong side of a network cut changes no row: its fence is too small.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import database_now, write_transaction
from waybill.infra.db.tables import export_task, storage_object
from waybill.infra.tasks.audit import audit, wake
from waybill.infra.tasks.lifecycle.claims import take
from waybill.infra.tasks.lifecycle.completion import after_end
from waybill.infra.tasks.lifecycle.scheduler import Turns
from waybill.infra.tasks.lifecycle.single_flight import show_progress
from waybill.infra.tasks.lifecycle.transitions import end_attempt
from waybill.infra.tasks.lifecycle.updates import LEASE_OVER, change_task
from waybill.infra.tasks.model import Claim, Task
from waybill.infra.tasks.states import TaskStatus

_t = export_task.c


class Pulse(StrEnum):
    """What a heartbeat learned."""

    ALIVE = "alive"
    CANCELLED = "cancelled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Reading:
    """Progress to be shown, as of one heartbeat."""

    rows_done: int
    rows_total: int | None
    bytes_uploaded: int
    snapshot_at: datetime | None


@dataclass(frozen=True, slots=True)
class Finished:
    """What a successful attempt leaves on its row."""

    object_key: str
    etag: str
    sha256: str
    size_bytes: int
    rows_source: int | None
    rows_written: int
    snapshot_at: datetime
    warnings: list[dict[str, str | int]]
    download_url: str
    url_expires_at: datetime
    retention: timedelta
    #: Made from the query that ran: the file is for those who have this key, and no others.
    flight_key: str | None = None


class TaskRuns:
    """The task store, as seen from a worker."""

    def __init__(self, engine: Engine, lease: timedelta, limits: Limits | None = None) -> None:
        """`limits` cap what runs at once; without, nothing is held back."""
        self._engine = engine
        self._lease = lease
        self._turns = Turns(engine, lease, limits or Limits.only())

    def claim(self, task_id: UUID, worker: str) -> Claim | None:
        """Take this very task, or None: taken, ended, joined, used up, unknown, or not due yet.

        No cap holds it back: workers use `claim_next`.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            return take(connection, now, worker, self._lease, _t.id == task_id, task_id)

    def claim_next(self, queue: str, worker: str, called: UUID | None = None) -> Claim | None:
        """Take the task of `queue` whose turn it is; see `Turns.claim_next`."""
        return self._turns.claim_next(queue, worker, called)

    def wake_elsewhere(self, ended: Task) -> None:
        """Tell workers of other queues that `ended` has; see `Turns.wake_elsewhere`."""
        self._turns.wake_elsewhere(ended)

    def heartbeat(self, claim: Claim, progress: Reading) -> Pulse:
        """Renew the lease, show progress, and learn whether to go on."""
        shown = asdict(progress)
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            row = change_task(
                connection,
                now,
                _held(claim),
                lease_expires_at=now + self._lease,
                **shown,
            )
            if row is None:
                return Pulse.LOST
            if row["flight_key"] is not None:
                show_progress(connection, now, row["id"], shown)
        return Pulse.CANCELLED if row["cancel_requested_at"] else Pulse.ALIVE

    def record_estimate(
        self,
        claim: Claim,
        *,
        planned_rows: int | None,
        rows: int | None,
        size_bytes: int | None,
        seconds: float | None,
    ) -> None:
        """Record the estimate made at the start, beside what the actual figures will be."""
        with write_transaction(self._engine) as connection:
            change_task(
                connection,
                database_now(connection),
                _held(claim),
                planned_rows=planned_rows,
                predicted_rows=rows,
                predicted_bytes=size_bytes,
                predicted_seconds=seconds,
            )

    def reserve_object(self, claim: Claim, key: str) -> None:
        """Note the key of an upload that is about to begin, so that a crash leaves a trace."""
        with write_transaction(self._engine) as connection:
            connection.execute(
                storage_object.insert().values(
                    key=key,
                    task_id=claim.task.id,
                    fence=claim.fence,
                    state="OPEN",
                    created_at=database_now(connection),
                )
            )

    def finish(self, claim: Claim, done: Finished) -> bool:
        """Record SUCCESS with its object in one commit.

        False when the claim is lost or the task was cancelled: the caller's object is then
        unreferenced, and the caller should delete it.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            row = change_task(
                connection,
                now,
                (*_held(claim), _t.cancel_requested_at.is_(None)),
                status=TaskStatus.SUCCESS,
                object_key=done.object_key,
                etag=done.etag,
                sha256=done.sha256,
                size_bytes=done.size_bytes,
                bytes_uploaded=done.size_bytes,
                rows_source=done.rows_source,
                rows_written=done.rows_written,
                rows_done=done.rows_written,
                rows_total=done.rows_written,
                snapshot_at=done.snapshot_at,
                warnings=done.warnings,
                download_url=done.download_url,
                url_expires_at=done.url_expires_at,
                expires_at=now + done.retention,
                finished_at=now,
                error_code=None,
                error_message=None,
                flight_key=done.flight_key,
                **LEASE_OVER,
            )
            if row is None:
                return False
            connection.execute(
                sa.update(storage_object)
                .where(storage_object.c.key == done.object_key)
                .values(state="STORED")
            )
            audit(
                connection,
                now,
                "finish",
                row,
                actor=claim.worker,
                change=(TaskStatus.PROCESSING, TaskStatus.SUCCESS),
                detail={"rows": done.rows_written, "bytes": done.size_bytes},
            )
            after_end(connection, now, row)
            return True

    def fail(
        self, claim: Claim, *, code: str, message: str, retry_in: timedelta | None
    ) -> TaskStatus | None:
        """End an attempt that went wrong; None when the claim was already lost.

        With `retry_in` and attempts left, the task goes back to PENDING and a delayed wake-up
        into the outbox. Otherwise it is FAILED. A cancelled task becomes CANCELLED instead.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            return end_attempt(
                connection,
                now,
                _held(claim),
                actor=claim.worker,
                code=code,
                message=message,
                retry_in=retry_in,
            )

    def release(self, claim: Claim) -> bool:
        """Give a task back unharmed when the worker has to go; the attempt is not counted.

        A task that was cancelled meanwhile ends as CANCELLED: nobody would claim it again.
        """
        with write_transaction(self._engine) as connection:
            now = database_now(connection)
            cancelled = _t.cancel_requested_at.is_not(None)
            row = change_task(
                connection,
                now,
                _held(claim),
                status=sa.case(
                    (cancelled, TaskStatus.CANCELLED.value), else_=TaskStatus.PENDING.value
                ),
                fence=_t.fence + 1,
                attempt=_t.attempt - 1,
                finished_at=sa.case((cancelled, sa.literal(now, _t.created_at.type)), else_=None),
                **LEASE_OVER,
            )
            if row is None:
                return False
            edge = (TaskStatus.PROCESSING, TaskStatus(row["status"]))
            audit(connection, now, "release", row, actor=claim.worker, change=edge)
            after_end(connection, now, row)
            if edge[1] == TaskStatus.PENDING:
                wake(
                    connection,
                    now,
                    row["id"],
                    kind="release",
                    fence=row["fence"],
                    queue=row["queue"],
                )
            return True


def _held(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _t.id == claim.task.id,
        _t.fence == claim.fence,
        _t.status == TaskStatus.PROCESSING,
    )
