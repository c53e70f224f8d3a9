"""What an attempt is expected to come to, recorded once: for the remaining time, and to calibrate.

The export counts its own rows. Where that is quick, the estimate is made from this count and asks
the database nothing. Where it is not, a thread asks the planner beside the export, so that people
see what to expect before the first row. (docs/decisions/0027)
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from waybill.exporter.ports import PlannedStream, RowCount, RowsAhead
from waybill.infra.estimates.estimator import Estimator, ExportEstimate
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.tasks.lifecycle.runs import TaskRuns
from waybill.infra.tasks.model import Claim, Predicted

log = logging.getLogger(__name__)

#: An export that has not counted its rows after this long gets an estimate beside it.
_ESTIMATE_AFTER = timedelta(seconds=0.15)
#: The source has twice this to count the rows for an estimate.
_ESTIMATE_TIMEOUT = timedelta(seconds=0.1)
#: Nobody sees the remaining time of an export that is expected to take less than this.
_SOON_OVER = timedelta(seconds=1)
#: How long an export that has ended waits for its estimate before it goes without.
_ESTIMATE_WAIT = timedelta(seconds=1)


class Prediction:
    """Makes the estimate of one first attempt, in one of two ways, whichever comes first."""

    def __init__(
        self, estimator: Estimator, runs: TaskRuns, claim: Claim, plan: ExportPlan
    ) -> None:
        self._estimator = estimator
        self._runs = runs
        self._claim = claim
        self._plan = plan
        self._timer = threading.Timer(_ESTIMATE_AFTER.total_seconds(), self._ask)
        self._timer.name = "waybill-estimate"
        self._timer.daemon = True
        self._turn = threading.Lock()
        #: What is left to be recorded with the end of the attempt.
        self.unrecorded: Predicted | None = None

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Around the export: ask the source if the export itself takes long to count."""
        self._timer.start()
        try:
            yield
        finally:
            self._timer.cancel()
            self._timer.join(_ESTIMATE_WAIT.total_seconds())

    def from_count(self, stream: RowsAhead) -> None:
        """Record the estimate for the rows that the export has just counted."""
        planned = stream.rows_planned if isinstance(stream, PlannedStream) else None
        count = RowCount(counted=stream.rows_expected, estimated=planned)
        if self._begin():
            self._record(count)

    def _ask(self) -> None:
        if self._begin():
            self._record(None)

    def _begin(self) -> bool:
        """Whether nobody has begun yet."""
        return self._turn.acquire(blocking=False)

    def _record(self, count: RowCount | None) -> None:
        plan = self._plan
        try:
            estimate = estimate_of(self._estimator, plan, _ESTIMATE_TIMEOUT, count)
            predicted = Predicted(
                estimate.planner_rows, estimate.rows, estimate.size_bytes, estimate.seconds
            )
            if estimate.seconds is not None and estimate.seconds < _SOON_OVER.total_seconds():
                self.unrecorded = predicted
            else:
                self._runs.record_estimate(self._claim, predicted)
        except Exception as error:
            # No estimate is worth an export, and what is really wrong shows there as well.
            extra = {
                "task": str(self._claim.task.id),
                "attempt": self._claim.task.attempt,
                "why": type(error).__name__,
            }
            log.warning("export runs without an estimate", extra=extra)


def estimate_of(
    estimator: Estimator, plan: ExportPlan, within: timedelta, count: RowCount | None
) -> ExportEstimate:
    """The estimate of one plan. With a `count` the source is not asked, else it has `within`."""
    return estimator.estimate(
        plan.principal,
        plan.dataset,
        plan.queries,
        plan.param_values,
        plan.format.name,
        within=within,
        options=plan.options,
        count=count,
    )
