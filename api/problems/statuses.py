"""HTTP status of every error that a request can end with. Everything else about it is derived.

The code and whether a retry helps come from the error class; `waybill.api.explanations` and
``docs/errors.md`` read this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from waybill.api.problems import errors
from waybill.exporter.datasets.approval import ApprovalNeeded
from waybill.exporter.errors import (
    ExportRejected,
    InvalidRequest,
    LimitExceeded,
    PasswordNeeded,
    PermissionDenied,
    RowTooLarge,
    UnknownDataset,
    WaybillError,
)
from waybill.infra.links.share_links import LinkNotFound, TooManyLinks
from waybill.infra.notifications.opt_outs import BadOptOutLink
from waybill.infra.notifications.rules import BadNotificationTarget
from waybill.infra.previews.previewer import PreviewLeft, PreviewTooSlow, PreviewUnavailable
from waybill.infra.schedules.errors import (
    ChangedMeanwhile,
    FailedTooOften,
    NameTaken,
    OwnerNotSeen,
    OwnerRevoked,
    SavedExportGone,
    SavedExportNotFound,
    ScheduleBusy,
    ScheduleNotFound,
    TooManySavedExports,
    TooManySchedules,
)
from waybill.infra.sessions.denylist import RevocationsUnread
from waybill.infra.tasks.dead_letters import DeadLetterNotFound
from waybill.infra.tasks.lifecycle.quotas import (
    BacklogFull,
    DailyRowsExceeded,
    NotNow,
    TooManyExports,
    TooManySubmits,
)
from waybill.infra.tasks.model import IdempotencyMismatch, TaskConflict, TaskNotFound
from waybill.infra.tasks.preview_log import TooManyPreviews
from waybill.storage.errors import (
    ChecksumMismatch,
    InvalidFilename,
    StorageError,
    StorageRejected,
    StorageUnavailable,
)

#: An error class that is missing takes the status of its nearest base class; one without any is
#: a bug and becomes a 500. Classes are listed even where their base class decides: their codes
#: are part of the contract. An unknown dataset is 422 and not 404, because the address exists
#: and only the `type` in the body does not.
STATUS: Mapping[type[WaybillError | StorageError], HTTPStatus] = {
    errors.TokenInQuery: HTTPStatus.BAD_REQUEST,
    errors.BadJson: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.ForeignOrigin: HTTPStatus.FORBIDDEN,
    errors.BadCursor: HTTPStatus.FORBIDDEN,
    PermissionDenied: HTTPStatus.FORBIDDEN,
    ApprovalNeeded: HTTPStatus.FORBIDDEN,
    TaskNotFound: HTTPStatus.NOT_FOUND,
    DeadLetterNotFound: HTTPStatus.NOT_FOUND,
    LinkNotFound: HTTPStatus.NOT_FOUND,
    BadOptOutLink: HTTPStatus.NOT_FOUND,
    SavedExportNotFound: HTTPStatus.NOT_FOUND,
    ScheduleNotFound: HTTPStatus.NOT_FOUND,
    TaskConflict: HTTPStatus.CONFLICT,
    PasswordNeeded: HTTPStatus.CONFLICT,
    TooManyLinks: HTTPStatus.CONFLICT,
    NameTaken: HTTPStatus.CONFLICT,
    TooManySavedExports: HTTPStatus.CONFLICT,
    TooManySchedules: HTTPStatus.CONFLICT,
    ScheduleBusy: HTTPStatus.CONFLICT,
    ChangedMeanwhile: HTTPStatus.PRECONDITION_FAILED,
    errors.FileNotReady: HTTPStatus.CONFLICT,
    errors.FileExpired: HTTPStatus.GONE,
    errors.FileMissing: HTTPStatus.GONE,
    errors.NotJson: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ExportRejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnknownDataset: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    BadNotificationTarget: HTTPStatus.UNPROCESSABLE_ENTITY,
    IdempotencyMismatch: HTTPStatus.UNPROCESSABLE_ENTITY,
    LimitExceeded: HTTPStatus.UNPROCESSABLE_ENTITY,
    RowTooLarge: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidFilename: HTTPStatus.UNPROCESSABLE_ENTITY,
    # Reasons for which a schedule is paused.
    FailedTooOften: HTTPStatus.UNPROCESSABLE_ENTITY,
    OwnerNotSeen: HTTPStatus.UNPROCESSABLE_ENTITY,
    OwnerRevoked: HTTPStatus.UNPROCESSABLE_ENTITY,
    SavedExportGone: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooManyStreams: HTTPStatus.TOO_MANY_REQUESTS,
    NotNow: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyExports: HTTPStatus.TOO_MANY_REQUESTS,
    TooManySubmits: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyPreviews: HTTPStatus.TOO_MANY_REQUESTS,
    PreviewTooSlow: HTTPStatus.SERVICE_UNAVAILABLE,
    PreviewUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    PreviewLeft: HTTPStatus.SERVICE_UNAVAILABLE,
    DailyRowsExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    BacklogFull: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PrefetchRefused: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.IdentityProviderDown: HTTPStatus.SERVICE_UNAVAILABLE,
    RevocationsUnread: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageError: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageRejected: HTTPStatus.SERVICE_UNAVAILABLE,
    ChecksumMismatch: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class OtherProblem:
    """A problem that no error class of ours stands for."""

    status: HTTPStatus
    detail: str
    #: Whether the same request may succeed later.
    retry: bool = False


#: By code. The framework's own errors, and errors of libraries.
OTHER_PROBLEMS: Mapping[str, OtherProblem] = {
    "bad_request": OtherProblem(HTTPStatus.BAD_REQUEST, "The request cannot be read."),
    "not_found": OtherProblem(HTTPStatus.NOT_FOUND, "There is nothing at this address."),
    "method_not_allowed": OtherProblem(
        HTTPStatus.METHOD_NOT_ALLOWED, "This address does not support this method."
    ),
    "request_timeout": OtherProblem(
        HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.", retry=True
    ),
    "content_too_large": OtherProblem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large."
    ),
    # Stands for every other status of the framework's, with that status.
    "http_error": OtherProblem(HTTPStatus.BAD_REQUEST, ""),
    "internal_error": OtherProblem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong on the server. Please report it with the id {request_id}.",
        retry=True,
    ),
    "database_unavailable": OtherProblem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The task database does not answer. Try again in a moment.",
        retry=True,
    ),
    "database_read_only": OtherProblem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The task database takes no writes just now. Try again in a moment.",
        retry=True,
    ),
    "database_not_migrated": OtherProblem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The task tables are missing, or of another version. The operator has to migrate them.",
        retry=True,
    ),
}

_FRAMEWORK_CODES = ("bad_request", "not_found", "method_not_allowed", "content_too_large")


def status_of(error: Exception) -> HTTPStatus | None:
    """The status of an error by its class or nearest base class; None for an unknown error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)


def framework_problem(status: HTTPStatus) -> tuple[str, str]:
    """Code and detail for an error that the framework raised with `status`."""
    for code in _FRAMEWORK_CODES:
        if OTHER_PROBLEMS[code].status == status:
            return code, OTHER_PROBLEMS[code].detail
    return "http_error", f"{status.phrase}."
