"""RFC 9457 problem documents, and which status each error becomes.

A problem never holds SQL, a stack trace, a link or a value the caller sent; its
`request_id` finds the rest in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from waybill.api.problems import errors
from waybill.exporter.errors import ExportRejected, PermissionDenied
from waybill.infra.links.share_links import LinkNotFound, TooManyLinks
from waybill.infra.tasks.dead_letters import DeadLetterNotFound
from waybill.infra.tasks.lifecycle.quotas import BacklogFull, NotNow
from waybill.infra.tasks.model import TaskConflict, TaskNotFound
from waybill.storage.errors import InvalidFilename, StorageError

MEDIA_TYPE = "application/problem+json"

#: The nearest class on the way up decides; an error that finds none is our fault: 500.
#: An unknown dataset is 422 and not 404: the address exists, the `type` in the body does not.
STATUS: Mapping[type[Exception], HTTPStatus] = {
    errors.TokenInQuery: HTTPStatus.BAD_REQUEST,
    errors.BadJson: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.ForeignOrigin: HTTPStatus.FORBIDDEN,
    errors.BadCursor: HTTPStatus.FORBIDDEN,
    PermissionDenied: HTTPStatus.FORBIDDEN,
    TaskNotFound: HTTPStatus.NOT_FOUND,
    DeadLetterNotFound: HTTPStatus.NOT_FOUND,
    LinkNotFound: HTTPStatus.NOT_FOUND,
    TaskConflict: HTTPStatus.CONFLICT,
    TooManyLinks: HTTPStatus.CONFLICT,
    errors.FileNotReady: HTTPStatus.CONFLICT,
    errors.FileExpired: HTTPStatus.GONE,
    errors.PrefetchRefused: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TooManyStreams: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotJson: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    NotNow: HTTPStatus.TOO_MANY_REQUESTS,
    BacklogFull: HTTPStatus.SERVICE_UNAVAILABLE,
    InvalidFilename: HTTPStatus.UNPROCESSABLE_ENTITY,
    ExportRejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.IdentityProviderDown: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageError: HTTPStatus.SERVICE_UNAVAILABLE,
}

#: How long a client that meets a 429 or a 503 should wait.
_RETRY_SECONDS = 5
_HEADERS: Mapping[HTTPStatus, Mapping[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": str(_RETRY_SECONDS)},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": str(_RETRY_SECONDS)},
}
_REFERENCE = "#/components/schemas/{model}"


class FieldError(BaseModel):
    """What is wrong with one field: a JSON pointer into the body, or a parameter's name."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:waybill:problem:invalid_request",
                "title": "Unprocessable Entity",
                "status": 422,
                "code": "invalid_request",
                "detail": "Bad parameter: city: Input should be a valid string.",
                "request_id": "3f0c8b9a51d2e764",
                "errors": [
                    {"pointer": "#/params/city", "detail": "Input should be a valid string"}
                ],
            }
        }
    )

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[FieldError] | None = None


def status_of(error: Exception) -> HTTPStatus | None:
    """The status that `STATUS` gives an error, or None for one it does not know."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)


def problem_response(
    request_id: str,
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    fields: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response for one problem."""
    body = Problem(
        type=f"urn:waybill:problem:{code}",
        title=status.phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=request_id,
        errors=list(fields) or None,
    )
    return JSONResponse(
        body.model_dump(mode="json", exclude_none=True),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={**_HEADERS.get(status, {}), **(headers or {})},
    )


def problem_docs(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says about its problems; see `problem_schemas`."""
    schema = {"$ref": _REFERENCE.format(model=Problem.__name__)}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def document_caller_problems(document: dict[str, Any]) -> None:
    """Add to each operation that needs a caller how that can go wrong, whatever its route says.

    400: a token in the address. 401: none that can be trusted. 403: another site's page used
    the cookie. 503: the task database or the identity provider is away.
    """
    docs = {str(status): entry for status, entry in problem_docs(400, 401, 403, 503).items()}
    for operations in document["paths"].values():
        for operation in operations.values():
            if "security" in operation:
                operation["responses"] = {**docs, **operation["responses"]}


def problem_schemas() -> dict[str, Any]:
    """The schemas `problem_docs` refers to, for the OpenAPI document.

    The framework adds those of its own media type only.
    """
    schema = Problem.model_json_schema(ref_template=_REFERENCE)
    parts: dict[str, Any] = schema.pop("$defs")
    return {Problem.__name__: schema, **parts}
