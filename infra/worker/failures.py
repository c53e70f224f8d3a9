"""What an error means for a task: its stable code, a sentence for people, and a retry or not.

Everything retries, except what says it must not. This is the one place that decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.errors import ExportRejected, WaybillError
from waybill.storage.errors import InvalidFilename, StorageError, StorageRejected, UploadTooLarge

#: What the store will refuse again: an operator has to act, or the file cannot exist.
_FINAL = (StorageRejected, UploadTooLarge, InvalidFilename)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended, as the task row will say it."""

    code: str
    message: str
    retry: bool
    #: Nobody foresaw this error: its stack trace belongs into the log, and only there.
    unforeseen: bool = False


def judge(error: Exception) -> Verdict:
    """Classify `error`. The message never holds SQL, an address, a link or a secret."""
    if isinstance(error, WaybillError):
        return Verdict(error.code, error.message, retry=not isinstance(error, ExportRejected))
    if isinstance(error, StorageError):
        return Verdict(error.code, error.message, retry=not isinstance(error, _FINAL))
    if isinstance(error, SQLAlchemyError):
        return Verdict("database_unavailable", "The database did not answer.", retry=True)
    if isinstance(error, MemoryError):
        return Verdict("out_of_memory", "The worker ran out of memory.", retry=True)
    return Verdict("internal_error", "Something unexpected went wrong.", True, unforeseen=True)
