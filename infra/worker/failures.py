"""What a failed attempt means for its task: a code, a sentence for people, and what it costs.

Each error class states its `code`, its `fault` and its `retry`, and this module reads them. A fault
of the installation costs no attempt. Everything else counts as one, and is retried unless the
class says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.errors import WaybillError
from waybill.faults import Fault
from waybill.infra.sources.errors import ReadConflict
from waybill.storage.errors import StorageError


@dataclass(frozen=True, slots=True)
class FailureDecision:
    """How an attempt ended, as the task row will say it."""

    code: str
    message: str
    #: Whether another attempt is made, if the task has one left.
    retry: bool
    fault: Fault = Fault.UNKNOWN
    #: An error no code expects: its stack trace belongs into the log, and only there.
    unexpected: bool = False
    #: No other export may run beside the next attempt.
    run_alone: bool = False
    #: What is in the way takes longer than a fault of the moment.
    is_slow: bool = False

    def delay(
        self, delays: Sequence[timedelta], attempt: int, max_attempts: int
    ) -> timedelta | None:
        """How long after attempt number `attempt` the next one may begin; None for none.

        Usually the delays are taken from the first one on. What is slow gets the last ones, so
        that few attempts cover minutes.
        """
        if not self.retry:
            return None
        place = attempt - 1
        if self.is_slow:
            place = max(place, len(delays) - (max_attempts - attempt))
        return delays[min(place, len(delays) - 1)]


def classify_error(error: Exception) -> FailureDecision:
    """Classify `error`. The message never holds SQL, an address, a link or a secret."""
    if isinstance(error, WaybillError | StorageError):
        is_slow = isinstance(error, ReadConflict)
        return FailureDecision(error.code, error.message, error.retry, error.fault, is_slow=is_slow)
    if isinstance(error, SQLAlchemyError):
        return FailureDecision("database_unavailable", "The database did not answer.", retry=True)
    if isinstance(error, MemoryError):
        return FailureDecision(
            "out_of_memory", "The worker ran out of memory.", retry=True, run_alone=True
        )
    return FailureDecision(
        "internal_error", "Something unexpected went wrong.", retry=True, unexpected=True
    )
