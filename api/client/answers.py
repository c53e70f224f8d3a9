"""What the client gives back: tasks and links as the API's contract has them, and errors.

::

    ClientError
    ├── ApiError                the server refused; `code` says why
    │   ├── NotAllowed              401, 403
    │   ├── NotFound                404
    │   ├── Conflict                409: not in this state of the task
    │   ├── FileGone                410
    │   ├── TooMany                 429
    │   └── ServerFailed            5xx
    ├── Unreachable             nobody answered
    ├── ExportFailed            the export ended without a file; `code` says why
    ├── StillRunning            (also a TimeoutError) the wait is over, the export goes on
    └── DamagedDownload         the bytes that came are not the file
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

Status = Literal["PENDING", "PROCESSING", "SUCCESS", "FAILED", "CANCELLED", "EXPIRED"]


class _Answer(BaseModel):
    # A newer server may say more.
    model_config = ConfigDict(extra="ignore", frozen=True)


Answer = TypeVar("Answer", bound=_Answer)


class Progress(_Answer):
    """How far a running export is."""

    rows_done: int
    rows_total: int | None
    bytes_uploaded: int
    eta_seconds: int | None


class LastError(_Answer):
    """Why the last attempt ended: for programs, for operators, and in plain words."""

    code: str
    message: str
    cause: str = ""
    remedy: str = ""
    retry_helps: bool | None = None


class Completeness(_Answer):
    """The proof that nothing is missing from the file."""

    rows_source: int | None
    rows_written: int
    digest: str
    snapshot_at: datetime


class ExportTask(_Answer):
    """One export task."""

    id: UUID
    type: str
    format: str
    params: dict[str, Any]
    status: Status
    progress: Progress
    attempt: int
    max_attempts: int
    retry_count: int
    last_error: LastError | None
    filename: str
    size_bytes: int | None
    sha256: str | None
    rows: int | None
    completeness: Completeness | None
    warnings: list[dict[str, Any]]
    expires_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    #: True for an answer to `submit` or `retry` when this task was there already.
    deduplicated: bool = False

    @property
    def ended(self) -> bool:
        """Whether it will not change any more, but for its file's end."""
        return self.status not in ("PENDING", "PROCESSING")


class TaskPage(_Answer):
    """A part of a list, and the cursor of what follows it."""

    items: list[ExportTask]
    next: str | None


class BetterFormat(_Answer):
    """A format that would serve better than the one asked for, and why."""

    format: str
    code: str
    reason: str


class Estimate(_Answer):
    """What an export would come to; None where nobody knows."""

    rows: int | None
    rows_known_by: str | None
    rows_problem: str | None
    files: int | None
    sheets: int | None
    bytes: int | None
    seconds: float | None
    queue_position: int
    starts_in_seconds: float
    better_format: BetterFormat | None


class DownloadLink(_Answer):
    """A signed link. Whoever holds it can fetch the file until it expires."""

    url: str
    expires_at: datetime


class ClientError(Exception):
    """Anything that goes wrong in this client."""

    #: Seconds after which it makes sense to try again, where the server says so.
    retry_after: float | None = None


class Unreachable(ClientError):
    """The server cannot be reached, or broke off. What was asked may have been done."""


class ApiError(ClientError):
    """The server refused. `code` is stable; `detail` is for people."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None) -> None:
        self.status = status
        self.retry_after = retry_after
        self.code = str(problem.get("code", f"http_{status}"))
        self.detail = str(problem.get("detail", httpx.codes.get_reason_phrase(status)))
        #: Finds the request in the server's log.
        self.request_id: str | None = problem.get("request_id")
        #: What is wrong with which field, for `invalid_request`.
        self.errors: list[dict[str, str]] = list(problem.get("errors") or [])
        super().__init__(f"{self.detail} [{self.code}]")


class NotAllowed(ApiError):
    """The token is not good, or not good for this."""


class NotFound(ApiError):
    """There is no such thing, or it is somebody else's."""


class Conflict(ApiError):
    """The task is in a state that does not allow this."""


class FileGone(ApiError):
    """The file was deleted at the end of its retention."""


class TooMany(ApiError):
    """A limit of this user or tenant is reached; see `retry_after`."""


class ServerFailed(ApiError):
    """The server cannot do it now."""


class ExportFailed(ClientError):
    """The export ended without a file."""

    def __init__(self, task: ExportTask) -> None:
        self.task = task
        if task.status == "FAILED" and task.last_error:
            self.code, message = task.last_error.code, task.last_error.message
        else:
            self.code, message = task.status.lower(), f"The export has ended: {task.status}."
        super().__init__(f"{message} [{self.code}]")


class StillRunning(ClientError, TimeoutError):
    """The wait is over and the export is not: it goes on, and can be waited for again."""

    def __init__(self, task: ExportTask) -> None:
        self.task = task
        super().__init__(f"The export {task.id} is still {task.status}; it goes on without us.")


class DamagedDownload(ClientError):
    """The bytes that came are not those of the file; nothing was kept."""


_KINDS: Mapping[int, type[ApiError]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: FileGone,
    429: TooMany,
}


def retry_after_of(response: httpx.Response) -> float | None:
    """Seconds in `Retry-After`; None without one, or where it is a date."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() else None


def read(model: type[Answer], response: httpx.Response) -> Answer:
    """The answer as `model`; an `ApiError` when something else than Waybill has answered."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        detail = f"This is no answer of Waybill: {error.error_count()} fields are wrong."
        problem = {"code": "unreadable_answer", "detail": detail}
        raise ApiError(response.status_code, problem, None) from None


def error_of(response: httpx.Response) -> ApiError:
    """The error that a refusal stands for; also one that is not a problem document."""
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    status = response.status_code
    kind = ServerFailed if status >= 500 else _KINDS.get(status, ApiError)
    return kind(status, problem if isinstance(problem, dict) else {}, retry_after_of(response))
