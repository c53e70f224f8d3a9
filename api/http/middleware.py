"""What surrounds every request: an id, security headers, a last resort, a size limit.

Pure ASGI. A middleware that runs the application in a task of its own would break
cancellation and hold back streamed answers.
"""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waybill.api.http.log_paths import loggable
from waybill.api.problems.documents import problem_response

log = logging.getLogger(__name__)

#: A request is a few names and parameters. Larger bodies are refused before they are read.
MAX_BODY_BYTES = 64 * 1024

#: Set unless the answer says otherwise. Nothing inline, nothing from elsewhere, no frames;
#: links to files leave no trace of where they stood.
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


class Envelope:
    """Gives each request an id, each answer its headers, and each unforeseen error a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_enveloped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_enveloped)
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
            response = problem_response(
                request_id,
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "internal_error",
                f"Something went wrong on our side. Please report it with the id {request_id}.",
            )
            await response(scope, receive, send_enveloped)


class BodyLimit:
    """Refuses bodies over `MAX_BODY_BYTES`, whether their length is declared or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared_bytes(scope) > MAX_BODY_BYTES:
            response = problem_response(
                scope["state"]["request_id"],
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "content_too_large",
                f"The body is over {MAX_BODY_BYTES:,} bytes.",
            )
            await response(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                # The kind of error that the framework passes on from within its body parser.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self._app(scope, receive_counted, send)


def _declared_bytes(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "")
    return int(declared) if declared.isdecimal() else 0
