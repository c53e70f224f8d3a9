"""Errors of `storage`, and what each one asks of the caller.

::

    StorageError
    ├── StorageUnavailable      worth retrying: network, 5xx, throttling, expired credentials
    │   └── ChecksumMismatch    the store holds, or received, other bytes than were sent
    ├── StorageRejected         an operator has to act: credentials, bucket, region
    │   └── ClockRejected       its clock and ours disagree too much
    ├── UploadTooLarge          final: this file does not fit into one object
    ├── UploadConflict          another process ended this upload, or owns this key
    ├── InvalidFilename         (also ValueError)
    ├── FileNotWritten          (also OSError) the local file could not be written
    └── EmbeddedServerError     the local S3 server is missing or does not start

A plain `StorageError` is an unforeseen refusal; its message names the store's code.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from waybill.faults import Fault


class StorageError(Exception):
    """The object store did not accept the request."""

    # Its message works as that of `waybill.exporter.errors.WaybillError` does, and is written out
    # again: `storage` imports no other package, and a package for eight lines would cost more.

    #: Stable, documented name of the cause. Part of the HTTP contract; never reworded.
    code: ClassVar[str] = "storage_error"
    #: Whether doing the same again later may succeed.
    retry: ClassVar[bool] = True
    #: Whose fault it is, and therefore what it costs a task; see `Fault`.
    fault: ClassVar[Fault] = Fault.UNKNOWN

    def __init__(self, message: str | None = None) -> None:
        """Without a message, the class's docstring is the message: no error is silent."""
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])

    @property
    def message(self) -> str:
        """The text shown to a person. It never holds a URL, a signature or a secret."""
        return str(self.args[0])


class StorageUnavailable(StorageError):
    """The object store cannot be reached or is overloaded; trying again later may work."""

    code = "storage_unavailable"
    fault = Fault.STORAGE

    def __init__(self, message: str | None = None, *, retry_after: timedelta | None = None) -> None:
        """`retry_after` is what the store's Retry-After header asks for, if it sent one."""
        super().__init__(message)
        self.retry_after = retry_after


class ChecksumMismatch(StorageUnavailable):
    """The bytes changed on their way to the object store."""

    code = "checksum_mismatch"
    fault = Fault.UNKNOWN


class StorageRejected(StorageError):
    """The object store refuses our credentials or has no such bucket."""

    code = "storage_config"
    retry = False
    fault = Fault.STORAGE


class ClockRejected(StorageRejected):
    """The clocks of this machine and of the object store disagree too much."""

    code = "storage_clock"


class UploadTooLarge(StorageError):
    """The file is larger than one object of the store can be."""

    code = "upload_too_large"
    retry = False
    fault = Fault.TASK


class UploadConflict(StorageError):
    """Another process ended the upload before it was complete."""

    code = "upload_conflict"


class InvalidFilename(StorageError, ValueError):
    """The file name holds characters that cannot be sent in a header."""

    code = "invalid_filename"
    retry = False
    fault = Fault.TASK


class FileNotWritten(StorageError, OSError):
    """The file could not be written."""

    code = "file_not_written"
    retry = False


class EmbeddedServerError(StorageError):
    """The local S3 server could not be started."""

    code = "embedded_server"
