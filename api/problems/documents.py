"""RFC 9457 problem documents: the body of every error response, and its OpenAPI entries.

A problem never holds SQL, a stack trace, a link or a value that the caller sent. The log holds the
rest under its `request_id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"

#: How long a client should wait after a 429 or a 503 that states no time of its own.
_RETRY_SECONDS = 5
_HEADERS: Mapping[HTTPStatus, Mapping[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": str(_RETRY_SECONDS)},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": str(_RETRY_SECONDS)},
}
_REFERENCE = "#/components/schemas/{model}"


class FieldError(BaseModel):
    """One invalid field: a JSON pointer into the body, or the name of a parameter."""

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
        headers={**problem_headers(status), **(headers or {})},
    )


def problem_headers(status: HTTPStatus) -> Mapping[str, str]:
    """The headers of every answer with this status."""
    return _HEADERS.get(status, {})


def problem_docs(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of a route for these problem statuses; see `problem_schemas`."""
    schema = {"$ref": _REFERENCE.format(model=Problem.__name__)}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def document_caller_problems(document: dict[str, Any]) -> None:
    """Add the problems of authentication to each operation that requires it.

    400: a token in the address. 401: no valid token. 403: a page of another site used the cookie.
    503: the task database or the identity provider does not answer, or too many requests arrive.
    """
    docs = {str(status): entry for status, entry in problem_docs(400, 401, 403, 503).items()}
    for operations in document["paths"].values():
        for operation in operations.values():
            if "security" in operation:
                operation["responses"] = {**docs, **operation["responses"]}


def problem_schemas() -> dict[str, Any]:
    """The schemas `problem_docs` refers to, for the OpenAPI document.

    The framework adds only the schemas of its own media type.
    """
    schema = Problem.model_json_schema(ref_template=_REFERENCE)
    parts: dict[str, Any] = schema.pop("$defs")
    return {Problem.__name__: schema, **parts}
