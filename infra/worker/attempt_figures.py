"""The figures of one attempt for `/metrics`: its time, how it ended, and what it made."""

from __future__ import annotations

import time
from collections.abc import Callable

from waybill.infra.metrics.catalogue import (
    ATTEMPT_DURATION,
    ATTEMPT_FAILURES,
    EXPORT_BYTES,
    EXPORT_ROWS,
    QUEUE_WAIT,
)
from waybill.infra.metrics.recording import count, observe
from waybill.infra.tasks.model import Finished, Task
from waybill.infra.tasks.states import TaskStatus

_OUTCOMES = {
    TaskStatus.PENDING: "retried",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "cancelled",
}


def record_claim(task: Task) -> None:
    """Record how long `task`, just claimed, has waited. By the database's clock; once a task."""
    if task.attempt == 1 and task.waiting_since is None:
        waited = (task.updated_at - task.created_at).total_seconds()
        observe(QUEUE_WAIT, max(0.0, waited), queue=task.queue)


class AttemptFigures:
    """Records one end, the first: a stalled attempt ends long before its thread does."""

    def __init__(self, task: Task, clock: Callable[[], float] = time.monotonic) -> None:
        """The attempt begins now. `clock` returns seconds."""
        self._task = task
        self._clock = clock
        self._began = clock()
        self._has_ended = False
        #: The same for its span.
        self.attributes: dict[str, str | int] = {}

    def succeeded(self, done: Finished) -> None:
        """The task is SUCCESS."""
        if self.ended("success"):
            self.attributes |= {"waybill.rows": done.rows_written, "waybill.bytes": done.size_bytes}
            labels = {"dataset": self._task.task_type, "format": self._task.format}
            observe(EXPORT_ROWS, done.rows_written, **labels)
            observe(EXPORT_BYTES, done.size_bytes, **labels)

    def failed(self, code: str, status: TaskStatus | None) -> None:
        """The attempt failed, and `status` is that of its task now; None: the claim was lost."""
        outcome = _OUTCOMES.get(status, "lost") if status else "lost"
        if not self._has_ended:
            self.attributes["waybill.code"] = code
        if self.ended(outcome) and outcome in ("retried", "failed"):
            retried = "true" if outcome == "retried" else "false"
            count(ATTEMPT_FAILURES, dataset=self._task.task_type, code=code, retried=retried)

    @property
    def seconds(self) -> float:
        """Since the attempt began."""
        return self._clock() - self._began

    def ended(self, outcome: str) -> bool:
        """The attempt ended with an `outcome` of the catalogue; False if it had ended before."""
        if self._has_ended:
            return False
        self._has_ended = True
        self.attributes["waybill.outcome"] = outcome
        observe(ATTEMPT_DURATION, self.seconds, dataset=self._task.task_type, outcome=outcome)
        return True
