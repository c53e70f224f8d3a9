"""Middleware around every request: request id, security headers, size limit, errors of last resort.

Pure ASGI. Middleware that runs the application in a task of its own would break cancellation and
delay streamed responses.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waybill.api.problems.statuses import OTHER_PROBLEMS
from waybill.request_origin import RequestOrigin, request_origin

log = logging.getLogger(__name__)

#: Answers a request with a problem: its status, code and detail.
Answer = Callable[[Request, HTTPStatus, str, str], Response]

#: Requests consist of a few names and parameters. Larger bodies are refused unread.
MAX_BODY_BYTES = 64 * 1024
#: The same for a request of an export: ten thousand pasted ids are ordinary.
MAX_EXPORT_BODY_BYTES = 512 * 1024

#: How addresses end whose bodies may ask for an export.
_EXPORT_PATHS = (
    "/preview",
    "/api/export-tasks",
    "/api/export-tasks/estimate",
    "/api/saved-exports",
    "/api/schedules",
)

#: Set unless the response sets its own. They forbid inline scripts, foreign content and frames;
#: links to files send no referrer.
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_YEAR_SECONDS = 365 * 24 * 60 * 60


# Also for mistyped addresses around a token: `//d/…`, `/D/…`, `/d/…/`.
_TOKEN_LINK = re.compile(r"(/+(?:d|opt-out)/+).+", re.IGNORECASE | re.DOTALL)


def loggable(path: str) -> str:
    """`path` as the log may hold it: without the token of a share link or an opt-out link."""
    return _TOKEN_LINK.sub(r"\1…", path)


def transport_security(public_url: str | None) -> dict[str, str]:
    """The header that keeps browsers on HTTPS for a year, where the public address has it.

    Hosts below ours are included unless it has a path: then the host belongs to others as well.
    """
    parts = urlsplit(public_url or "")
    if parts.scheme != "https":
        return {}
    below = "" if parts.path.rstrip("/") else "; includeSubDomains"
    return {"Strict-Transport-Security": f"max-age={_YEAR_SECONDS}{below}"}


class Envelope:
    """Gives each request an id, each response its headers, and each unexpected error a 500."""

    def __init__(self, app: ASGIApp, answer: Answer, public_url: str | None = None) -> None:
        self._app = app
        self._answer = answer
        self._headers = _SECURITY_HEADERS | transport_security(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        client = scope.get("client")
        # Threads and background tasks of the request inherit it.
        request_origin.set(RequestOrigin(request_id, client[0] if client else None))
        started = False

        async def send_enveloped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_enveloped)
        except ClientDisconnect:
            # The client is gone before its body was read: there is nobody to tell, and no fault.
            return
        except Exception:
            log.exception(
                "request failed",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": loggable(scope["path"]),
                },
            )
            if started:
                raise
            problem = OTHER_PROBLEMS["internal_error"]
            response = self._answer(
                Request(scope),
                problem.status,
                "internal_error",
                problem.detail.format(request_id=request_id),
            )
            await response(scope, receive, send_enveloped)


class BodyLimit:
    """Refuses bodies over `MAX_BODY_BYTES`, with or without a declared length.

    Those that ask for an export may have `MAX_EXPORT_BODY_BYTES`.
    """

    def __init__(self, app: ASGIApp, answer: Answer) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = body_limit(scope["path"])
        if _declared_bytes(scope) > limit:
            response = self._answer(
                Request(scope),
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "content_too_large",
                f"The body exceeds {limit:,} bytes.",
            )
            await response(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                # The framework's body parser passes on this kind of error unchanged.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self._app(scope, receive_counted, send)


def body_limit(path: str) -> int:
    """The most bytes of a body sent to `path`."""
    return MAX_EXPORT_BODY_BYTES if path.endswith(_EXPORT_PATHS) else MAX_BODY_BYTES


def _declared_bytes(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "")
    return int(declared) if declared.isdecimal() else 0
