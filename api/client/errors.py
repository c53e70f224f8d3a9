"""Client errors, in one tree, and the error that an HTTP response stands for.

::

    ClientError
    ├── ApiError                the server refused; `code` says why
    │   ├── NotAllowed              401, 403
    │   ├── NotFound                404
    │   ├── Conflict                409: the state of the task does not allow it
    │   ├── FileGone                410
    │   ├── TooMany                 429
    │   └── ServerFailed            5xx
    ├── Unreachable             no answer
    ├── ExportFailed            the export ended without a file; `code` says why
    ├── StillRunning            (also a TimeoutError) the timeout is over, the export continues
    ├── StoreRefused            the object store does not send the file
    ├── SeveralFiles            the export is a set of files, and not one
    └── DamagedDownload         the downloaded bytes are not the file
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx2
from pydantic import ValidationError

from waybill.api.client.answers import Answer, ExportTask

#: The code in a store's error document. (Amazon S3, "REST error responses".)
_STORE_CODE = re.compile(rb"<Code>(\w{1,100})</Code>")
#: Such a document has a few hundred bytes; a proxy's page may have more, which nobody needs.
_MOST_BYTES_OF_AN_ERROR = 16_384

Model = TypeVar("Model", bound=Answer)


class ClientError(Exception):
    """Base class of every error that this client raises."""

    #: Seconds to wait before trying again, if the server states them.
    retry_after: float | None = None


class Unreachable(ClientError):
    """The server did not answer, or the connection broke. The request may have been processed."""


class ApiError(ClientError):
    """The server refused the request. `code` is stable; `detail` is for people."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None) -> None:
        self.status = status
        self.retry_after = retry_after
        self.code = str(problem.get("code", f"http_{status}"))
        self.detail = str(problem.get("detail", httpx2.codes.get_reason_phrase(status)))
        #: Identifies the request in the server's log.
        self.request_id: str | None = problem.get("request_id")
        #: The invalid fields, for `invalid_request`.
        self.errors: list[dict[str, str]] = list(problem.get("errors") or [])
        super().__init__(f"{self.detail} [{self.code}]")


class NotAllowed(ApiError):
    """The token is invalid, or lacks the required role."""


class NotFound(ApiError):
    """It does not exist, or belongs to another user."""


class Conflict(ApiError):
    """The state of the task does not allow this."""


class FileGone(ApiError):
    """The file was deleted: at the end of its retention period, or `file_missing`: by others."""


class TooMany(ApiError):
    """This user or tenant has reached a limit; see `retry_after`."""


class ServerFailed(ApiError):
    """The server failed, or is temporarily unavailable."""


class ExportFailed(ClientError):
    """The export ended without a file."""

    def __init__(self, task: ExportTask) -> None:
        self.task = task
        if task.status in ("FAILED", "EXPIRED") and task.last_error:
            self.code, message = task.last_error.code, task.last_error.message
        else:
            self.code, message = task.status.lower(), f"The export ended: {task.status}."
        super().__init__(f"{message} [{self.code}]")


class StillRunning(ClientError, TimeoutError):
    """The timeout is over. The export continues, and can be waited for again."""

    def __init__(self, task: ExportTask) -> None:
        self.task = task
        super().__init__(
            f"The export {task.id} is still {task.status}; it continues on the server."
        )


class SeveralFiles(ClientError):
    """The export is a set of files, and not one."""


class StoreRefused(ClientError):
    """The object store answered a download with an error instead of the file.

    `code` is the store's own, such as `NoSuchKey` or `AccessDenied`; empty if it names none.
    """

    def __init__(self, status: int, code: str, retry_after: float | None) -> None:
        self.status = status
        self.code = code
        self.retry_after = retry_after
        why = f" ({code})" if code else ""
        super().__init__(f"The object store answered {status}{why} instead of the file.")


class DamagedDownload(ClientError):
    """The downloaded bytes are not those of the file; they were discarded."""


_KINDS: Mapping[int, type[ApiError]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: FileGone,
    429: TooMany,
}


def retry_after_of(response: httpx2.Response) -> float | None:
    """Seconds in `Retry-After`; None without the header, or if it is a date."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() else None


def error_of(response: httpx2.Response) -> ApiError:
    """The error that an unsuccessful response stands for, with or without a problem document."""
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    status = response.status_code
    kind = ServerFailed if status >= 500 else _KINDS.get(status, ApiError)
    return kind(status, problem if isinstance(problem, dict) else {}, retry_after_of(response))


def store_error_of(response: httpx2.Response) -> StoreRefused:
    """The error that an object store's answer stands for, whose body has not been read yet."""
    start = b""
    for chunk in response.iter_bytes():
        start += chunk
        if len(start) >= _MOST_BYTES_OF_AN_ERROR:
            break
    return store_error(response, start)


def store_error(response: httpx2.Response, start: bytes) -> StoreRefused:
    """The error that an object store's answer stands for; `start` is the beginning of its body."""
    found = _STORE_CODE.search(start)
    code = found[1].decode() if found else ""
    return StoreRefused(response.status_code, code, retry_after_of(response))


def read(model: type[Model], response: httpx2.Response) -> Model:
    """The response as `model`.

    Raises:
        ApiError: the response is not one of Waybill.
    """
    return parsed(model, response.content, response.status_code)


def parsed(model: type[Model], data: str | bytes, status: int = 200) -> Model:
    """JSON as `model`. Raises what `read` raises."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        detail = f"This is not a response of Waybill: {error.error_count()} fields are invalid."
        problem = {"code": "unreadable_answer", "detail": detail}
        raise ApiError(status, problem, None) from None
