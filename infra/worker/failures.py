"""What a failed attempt means for its task: a code, a sentence for people, a retry or not.

Everything retries, except errors whose class says otherwise (`WaybillError.retry`,
`StorageError.retry`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.errors import WaybillError
from waybill.storage.errors import StorageError


@dataclass(frozen=True, slots=True)
class FailureDecision:
    """How an attempt ended, as the task row will say it."""

    code: str
    message: str
    #: Whether another attempt is made, if the task has one left.
    retry: bool
    #: An error no code expects: its stack trace belongs into the log, and only there.
    unexpected: bool = False


def classify_error(error: Exception) -> FailureDecision:
    """Classify `error`. The message never holds SQL, an address, a link or a secret."""
    if isinstance(error, WaybillError | StorageError):
        return FailureDecision(error.code, error.message, error.retry)
    if isinstance(error, SQLAlchemyError):
        return FailureDecision("database_unavailable", "The database did not answer.", retry=True)
    if isinstance(error, MemoryError):
        return FailureDecision("out_of_memory", "The worker ran out of memory.", retry=True)
    return FailureDecision(
        "internal_error", "Something unexpected went wrong.", retry=True, unexpected=True
    )
