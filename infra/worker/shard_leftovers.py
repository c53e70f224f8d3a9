"""Which errors of an attempt leave what it has written to the next one."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.errors import WaybillError
from waybill.infra.sources.errors import SnapshotLost, SourceUnavailable
from waybill.infra.worker.stops import LeaseLost, WorkerStopping
from waybill.storage.errors import ChecksumMismatch, StorageError, StorageUnavailable

#: What passes, or concerns this process alone: nothing of it speaks against the parts.
_OF_THE_MOMENT = (
    *(LeaseLost, WorkerStopping, MemoryError),
    *(SourceUnavailable, StorageUnavailable, SQLAlchemyError),
)


def may_go_on_after(error: BaseException) -> bool:
    """Whether the next attempt may go on with the shards that are written.

    Not after an error of the task itself, a cancellation, or a doubt about what was written.
    """
    if isinstance(error, SnapshotLost | ChecksumMismatch):
        return False
    if isinstance(error, WaybillError | StorageError) and error.fault.of_installation:
        return True
    return isinstance(error, _OF_THE_MOMENT)
