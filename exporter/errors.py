"""Errors of an export, and the base class of most errors that Waybill raises on purpose.

::

    WaybillError
    ├── ExportRejected              the same input fails the same way: no retry
    │   ├── UnknownDataset          (also KeyError)
    │   ├── InvalidRequest          (also ValueError)
    │   ├── PermissionDenied        (also PermissionError)
    │   ├── LimitExceeded
    │   ├── RowTooLarge
    │   └── PasswordNeeded
    ├── IncompleteExport            rows counted, read and rendered disagree
    └── ExportStopped               not a failure: the attempt must end now
        └── ExportCancelled         the task was cancelled

`infra` and `api` derive theirs from these, each beside the code that raises it. `storage`
depends on no other package and has a tree of its own (`storage/errors.py`). Every class of both
trees states its `code`, `retry` and `fault`; ``docs/errors.md`` lists all codes.

An error that `infra/worker/failures.py` does not know is unexpected: it is retried, and after the
last attempt the task ends as FAILED with the code ``internal_error``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from waybill.faults import Fault


class WaybillError(Exception):
    """Something went wrong while exporting."""

    #: Stable, documented name of the cause. Part of the HTTP contract; never reworded.
    code: ClassVar[str] = "internal_error"
    #: Whether doing the same again later may succeed. Stated here and nowhere else: workers and
    #: the documented error codes read it.
    retry: ClassVar[bool] = True
    #: Whose fault it is, and therefore what it costs a task; see `Fault`.
    fault: ClassVar[Fault] = Fault.UNKNOWN

    def __init__(self, message: str | None = None) -> None:
        """Without a message, the class's docstring is the message: no error is silent."""
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])

    @property
    def message(self) -> str:
        """The text shown to a person. It never holds SQL, a URL or a secret."""
        return str(self.args[0])


class ExportRejected(WaybillError):
    """The export cannot be made as asked; trying again would fail again."""

    code = "export_rejected"
    retry = False
    fault = Fault.TASK


class UnknownDataset(ExportRejected, KeyError):
    """There is no such dataset."""

    code = "unknown_dataset"


class InvalidRequest(ExportRejected, ValueError):
    """The request holds a value that cannot be used."""

    code = "invalid_request"

    def __init__(
        self,
        message: str | None = None,
        *,
        params: Mapping[str, str] | None = None,
        field: str = "",
    ) -> None:
        """`params` says what is wrong with each parameter of the dataset, by its name.

        What is wrong with all of them together has the empty name. `field` is the path of
        another wrong value in the request, such as ``csv/delimiter``.
        """
        super().__init__(message)
        self.params = dict(params or {})
        self.field = field


class PermissionDenied(ExportRejected, PermissionError):
    """The caller may not export this dataset."""

    code = "permission_denied"


class LimitExceeded(ExportRejected):
    """The export is larger than the format or the store can hold."""

    code = "limit_exceeded"


class RowTooLarge(ExportRejected):
    """One row is larger than the memory of this process has room for."""

    code = "row_too_large"


class PasswordNeeded(ExportRejected):
    """This file needs a password, and none is kept: its owner has to run the export again."""

    code = "password_needed"


class IncompleteExport(WaybillError):
    """Rows were lost, repeated, swapped or changed on their way; nothing was published."""

    code = "incomplete_export"


class ExportStopped(WaybillError):
    """The attempt had to end before the file was complete."""

    code = "stopped"


class ExportCancelled(ExportStopped):
    """The export was cancelled."""

    code = "cancelled"
