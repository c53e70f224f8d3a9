"""Past exports and the load of a queue, read from the task table: the input of estimates.

The figures of one tenant are never used for another: bytes per row say something about the
content of a row. From colleagues' exports only ratios are used (bytes and seconds per row), never
the number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import database_now, read_statement, read_transaction
from waybill.infra.db.tables import export_task, in_status
from waybill.infra.estimates.model import PastExport, chosen_columns, filled_params
from waybill.infra.tasks.queries.owned import owned_by
from waybill.infra.tasks.states import TaskStatus
from waybill.infra.tasks.workers import strength

_task = export_task.c

#: The newest exports that count: enough for a median, and few enough to follow a dataset whose
#: data change.
_NEWEST = 20
#: Assumed duration of an export in seconds where nothing is known of its kind.
ASSUMED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """The load of a queue over all tenants: numbers only."""

    waiting: int
    running: int
    #: Workers that take exports of this queue: by their heartbeats, or because they run one.
    workers: int = 0
    #: Exports of this queue that they run at most; 0 where no worker writes heartbeats.
    known_slots: int = 0

    def slots(self, concurrency: int) -> int:
        """As `known_slots`; else of these workers, or of one, with `concurrency` each."""
        return self.known_slots or concurrency * max(1, self.workers)

    def seconds_until_a_slot(self, ahead: int, each_seconds: float, concurrency: int) -> int:
        """Seconds until a slot is free for an export with `ahead` waiting before it; 0: now.

        They are rounds of the queue, each as long as one export, which takes `each_seconds`.
        """
        slots = self.slots(concurrency)
        before = max(0, ahead + self.running - slots + 1)
        return ceil(ceil(before / slots) * each_seconds)


def usual_seconds(past: Sequence[PastExport]) -> float | None:
    """The median duration of those of `past` that were timed; None without one."""
    timed = [one.seconds for one in past if one.seconds is not None]
    return median(timed) if timed else None


class TaskHistory:
    """Queries of finished and waiting exports."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def past_exports(self, tenant: str, task_type: str, chosen: str) -> list[PastExport]:
        """The tenant's newest finished exports of this type and format."""
        query = (
            sa.select(
                _task.rows_written,
                _task.size_bytes,
                _task.started_at,
                _task.finished_at,
                _task.attempt,
                _task.pauses,
                _task.planned_rows,
                _task.params,
                _task.options,
            )
            .where(
                _task.tenant_id == tenant,
                _task.task_type == task_type,
                _task.format == chosen,
                _task.rows_written.is_not(None),
            )
            .order_by(_task.finished_at.desc())
            .limit(_NEWEST)
        )
        with read_statement(self._engine) as connection:
            return [_past(row) for row in connection.execute(query).mappings()]

    def rows_of_equal_request(
        self, user: Principal, task_type: str, params: Mapping[str, Any]
    ) -> int | None:
        """Rows of `user`'s last finished export with exactly these parameters; None without one."""
        query = (
            sa.select(_task.params, _task.rows_written)
            .where(owned_by(user), _task.task_type == task_type, _task.rows_written.is_not(None))
            .order_by(_task.created_at.desc())
            .limit(_NEWEST)
        )
        with read_transaction(self._engine) as connection:
            rows = connection.execute(query).all()
        return next((row.rows_written for row in rows if row.params == dict(params)), None)

    def queue_load(self, queue: str) -> QueueLoad:
        """Exports of `queue` that wait for a worker, and those that run."""
        with read_transaction(self._engine) as connection:
            now = database_now(connection)
            waiting = connection.execute(
                sa.select(sa.func.count()).where(
                    in_status(TaskStatus.PENDING),
                    _task.queue == queue,
                    _task.joined_id.is_(None),
                    sa.or_(_task.next_attempt_at.is_(None), _task.next_attempt_at <= now),
                )
            ).scalar_one()
            alive, slots = strength(connection, queue)
            running, busy = connection.execute(
                sa.select(sa.func.count(), sa.func.count(sa.distinct(_task.lease_owner))).where(
                    in_status(TaskStatus.PROCESSING), _task.queue == queue
                )
            ).one()
        return QueueLoad(waiting, running, max(alive, busy), slots)


def _past(row: sa.RowMapping) -> PastExport:
    # Durations are only meaningful for first attempts of tasks that ran themselves, and were not
    # paused.
    timed = row["attempt"] == 1 and row["pauses"] == 0 and row["started_at"] is not None
    return PastExport(
        rows=row["rows_written"],
        size_bytes=row["size_bytes"],
        seconds=(row["finished_at"] - row["started_at"]).total_seconds() if timed else None,
        planner_rows=row["planned_rows"],
        filled_params=filled_params(row["params"]),
        columns=chosen_columns(row["options"]),
    )
