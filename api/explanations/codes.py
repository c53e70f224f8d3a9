"""Stable error codes: where each can occur, and whether trying again may help.

Codes, statuses and retries of error classes are read from the classes and from
`waybill.api.problems.statuses`. The texts are in `waybill.api.explanations.english` and `.chinese`.
A test reads the code base, and fails for a code without an entry and for an entry without a use.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from waybill.api.problems.statuses import OTHER_PROBLEMS, STATUS
from waybill.exporter.datasets.approval import (
    ApprovalDeclined,
    ApprovalExpired,
    ApprovalNeeded,
)
from waybill.exporter.errors import (
    ExportCancelled,
    ExportRejected,
    IncompleteExport,
    InvalidRequest,
    LimitExceeded,
    PasswordNeeded,
    PermissionDenied,
    RowTooLarge,
    UnknownDataset,
    WaybillError,
)
from waybill.infra.exports.key_seal import PasswordLost
from waybill.infra.sources.errors import (
    ReadCancelled,
    ReadConflict,
    SourceAway,
    SourceError,
    SourceRejected,
    SourceUnavailable,
)
from waybill.storage.errors import (
    ChecksumMismatch,
    ClockRejected,
    InvalidFilename,
    StorageError,
    StorageRejected,
    StorageUnavailable,
    UploadConflict,
    UploadTooLarge,
)

_TASK_ERRORS: tuple[type[WaybillError | StorageError], ...] = (
    ApprovalDeclined,
    ApprovalExpired,
    ApprovalNeeded,
    ChecksumMismatch,
    ClockRejected,
    ExportCancelled,
    ExportRejected,
    IncompleteExport,
    InvalidFilename,
    InvalidRequest,
    LimitExceeded,
    PasswordLost,
    PasswordNeeded,
    PermissionDenied,
    ReadCancelled,
    ReadConflict,
    RowTooLarge,
    SourceAway,
    SourceError,
    SourceRejected,
    SourceUnavailable,
    StorageError,
    StorageRejected,
    StorageUnavailable,
    UnknownDataset,
    UploadConflict,
    UploadTooLarge,
)

#: Codes a task can end with, also for attempts before its last one. True: a retry may succeed.
TASK_CODES: Mapping[str, bool] = {
    **{kind.code: kind.retry for kind in _TASK_ERRORS},
    # Outcomes that no error class of ours stands for. The worker and the sweeper record them.
    "database_unavailable": True,
    "file_missing": True,
    "internal_error": True,
    "out_of_memory": True,
    "stalled": True,
    "worker_lost": True,
}

#: Codes of problem documents with their status. True: the same request may succeed later.
PROBLEM_CODES: Mapping[str, tuple[HTTPStatus, bool]] = {
    **{kind.code: (status, kind.retry) for kind, status in STATUS.items()},
    **{code: (problem.status, problem.retry) for code, problem in OTHER_PROBLEMS.items()},
}

#: Codes on the command line and in the log. True: the same command may succeed later. Stated here
#: because commands are above this package; a test compares them with the error classes.
COMMAND_CODES: Mapping[str, bool] = {
    "address_in_use": False,
    "audit_log_changed": False,
    "bad_broker_url": False,
    "bad_message": False,
    "bad_settings": False,
    "broker_refused": False,
    "broker_unavailable": True,
    "broker_unsupported": False,
    "clock_skew": False,
    "clock_wrong": False,
    "consumers_lost": True,
    "queue_unconfirmed": True,
    "demo_failed": True,
    "demo_not_installed": False,
    "embedded_server": True,
    "file_not_written": False,
    "insecure_installation": False,
    "lease_lost": True,
    "link_unreachable": False,
    "mail_unreachable": True,
    "no_worker": True,
    "rights_missing": False,
    "runs_alone": True,
    "stopped": True,
    "topology_missing": False,
    "try_later": True,
    "worker_stopping": True,
    "wrong_region": False,
}

#: Whether trying again may help, by code. Where a code occurs in several places, tasks decide.
RETRY_HELPS: Mapping[str, bool] = {
    **COMMAND_CODES,
    **{code: helps for code, (_, helps) in PROBLEM_CODES.items()},
    **TASK_CODES,
}
