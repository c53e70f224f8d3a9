"""The exception handler: turns every error of the application into its answer.

The `Envelope` middleware logs all other errors and answers 500.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from http import HTTPMethod, HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from waybill.api.http.middleware import loggable
from waybill.api.http.prefix import prefix_in
from waybill.api.problems.answers import answer_problem
from waybill.api.problems.audit import refusal_record
from waybill.api.problems.documents import FieldError
from waybill.api.problems.errors import EarlyResponse, Overloaded
from waybill.api.problems.statuses import OTHER_PROBLEMS, framework_problem, status_of
from waybill.exporter.errors import InvalidRequest, UnknownDataset, WaybillError
from waybill.infra.config.task_database_refusals import known_reason
from waybill.infra.notifications.rules import BadNotificationTarget
from waybill.infra.tasks.lifecycle.quotas import NotNow
from waybill.storage.errors import StorageError

log = logging.getLogger(__name__)

_HANDLED = (
    WaybillError,
    StorageError,
    RequestValidationError,
    HTTPException,
    OperationalError,
    InterfaceError,
    PoolTimeout,
)


def handle_errors(app: FastAPI) -> None:
    """Answer the errors of `app` with problem documents, or with pages where people see them."""
    app.add_exception_handler(EarlyResponse, _respond)
    for kind in _HANDLED:
        app.add_exception_handler(kind, _answer)


async def _respond(_request: Request, error: Exception) -> Response:
    assert isinstance(error, EarlyResponse)  # noqa: S101 - the type it is registered for
    return error.response


async def _answer(request: Request, error: Exception) -> Response:
    request_id: str = request.state.request_id
    match error:
        case RequestValidationError():
            return answer_problem(
                request,
                HTTPStatus.UNPROCESSABLE_ENTITY,
                InvalidRequest.code,
                "The request holds an invalid value.",
                fields=[_field_error(item) for item in error.errors()],
            )
        case HTTPException():
            status = HTTPStatus(error.status_code)
            code, detail = framework_problem(status)
            headers = dict(error.headers or {})
            if "Allow" in headers:
                headers["Allow"] = _allowed_methods(request)
            return answer_problem(request, status, code, detail, headers=headers)
        case WaybillError() | StorageError():
            return _answer_ours(request, error)
        case _:
            code = _database_problem(error)
            why = known_reason(error)
            known = why is not None or code != "database_unavailable"
            log.error(
                code.replace("_", " "),
                # An outage refuses every request: a line for each is enough.
                exc_info=None if known else error,
                extra={"request_id": request_id, "why": why},
            )
            problem = OTHER_PROBLEMS[code]
            return answer_problem(request, problem.status, code, problem.detail)


def _answer_ours(request: Request, error: WaybillError | StorageError) -> Response:
    status = status_of(error)
    if status is None:
        raise error
    if isinstance(error, Overloaded):
        # Held back but for one a minute: a line for each would be work for nothing.
        log.warning("too many requests at once")
        return answer_problem(
            request, status, error.code, error.message, headers=_retry_after(error)
        )
    caller = getattr(request.state, "caller", None)
    log.log(
        logging.ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO,
        "request refused",
        extra={
            "request_id": request.state.request_id,
            "code": error.code,
            "method": request.method,
            "path": loggable(request.url.path),
            "user": caller.user if caller else None,
            "tenant": caller.tenant if caller else None,
        },
    )
    response = answer_problem(
        request,
        status,
        error.code,
        error.message,
        fields=_wrong_fields(error),
        headers=_retry_after(error),
    )
    response.background = refusal_record(request, error)
    return response


def _database_problem(error: Exception) -> str:
    """What is wrong with the task database, by the codes of its drivers."""
    cause = getattr(error, "orig", None)
    state = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or ""
    if state == "25006" or state.startswith("SQLITE_READONLY"):
        return "database_read_only"
    if state in ("42P01", "42703") or str(cause).startswith(("no such table", "no such column")):
        return "database_not_migrated"
    return "database_unavailable"


def _retry_after(error: Exception) -> dict[str, str]:
    if not isinstance(error, NotNow | Overloaded):
        return {}
    return {"Retry-After": str(math.ceil(error.retry_after.total_seconds()))}


def _allowed_methods(request: Request) -> str:
    """All methods of this address. The framework lists only those of the first matching route."""
    scope = {
        "type": "http",
        "path": request.scope["path"],
        "root_path": prefix_in(request),
        "headers": [],
    }
    return ", ".join(
        method
        for method in HTTPMethod
        if any(
            route.matches(scope | {"method": str(method)})[0] is Match.FULL
            for route in request.app.routes
        )
    )


def _wrong_fields(error: Exception) -> list[FieldError]:
    if isinstance(error, UnknownDataset):
        return [FieldError(pointer="#/type", detail=error.message)]
    if isinstance(error, BadNotificationTarget):
        return [FieldError(pointer=f"#/notify/{error.channel}", detail=error.message)]
    if isinstance(error, InvalidRequest):
        if error.field:
            return [FieldError(pointer=f"#/{error.field}", detail=error.message)]
        return [
            FieldError(pointer=_pointer(filter(None, ["params", *name.split(".")])), detail=why)
            for name, why in error.params.items()
        ]
    return []


def _field_error(item: dict[str, Any]) -> FieldError:
    """One of pydantic's errors, without the invalid value."""
    where, *path = item["loc"]
    if where == "body":
        return FieldError(pointer=_pointer(path), detail=item["msg"])
    return FieldError(parameter=str(path[0]) if path else str(where), detail=item["msg"])


def _pointer(path: Iterable[object]) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return "#" + "".join(f"/{step}" for step in steps)
