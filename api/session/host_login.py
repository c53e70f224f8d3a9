"""Host login: the caller as the application that mounts Waybill knows them.

The host's dependency runs before each request that may need a caller, in an application of its own,
so that the framework resolves its parameters as it does in the host's routes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waybill.api.http.accept import prefers_html
from waybill.api.http.prefix import path_within
from waybill.api.http.safe_methods import SAFE_METHODS
from waybill.api.session.tokens import Identity
from waybill.exporter.datasets.principal import Principal
from waybill.infra.sessions.revocations import IssuedToken

#: The host's dependency. It returns a `Principal`, or None for somebody whom it does not know.
GetPrincipal = Callable[..., Any]

#: How long an event stream goes on before it begins again, and the host is asked again.
_STREAM_LIFE = timedelta(minutes=10)
#: What nobody has to log in for.
_PUBLIC = ("/static/", "/healthz", "/readyz", "/metrics", "/opt-out/", "/language", "/embed/")
#: Those that Waybill has routes for, and what browsers ask beforehand.
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
#: Answers of the host that mean: I do not know this caller.
_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)

_IDENTITY, _REFUSED = "host_identity", "host_refused"


def host_identity(request: Request) -> Identity | None:
    """The caller as the host knows them; None if it has no login, or returned None."""
    identity: Identity | None = getattr(request.state, _IDENTITY, None)
    return identity


def host_refused(request: Request) -> bool:
    """Whether the host has refused the caller: then no other way to log in counts."""
    return getattr(request.state, _REFUSED, False)


def note_identity(scope: Scope, person: Principal, email: str | None = None) -> None:
    """Note for `host_identity` that `person` calls, as somebody in front of Waybill says."""
    scope.setdefault("state", {})[_IDENTITY] = replace(_identity(person), email=email)


def note_refusal(scope: Scope) -> None:
    """Note for `host_refused` that no other way to log in counts for this request."""
    scope.setdefault("state", {})[_REFUSED] = True


class HostLogin:
    """Asks the host who calls. What its dependency raises, the host handles as in its routes.

    A redirect, to the host's own login page, is passed on to a browser that opens a page.
    """

    def __init__(self, app: ASGIApp, get_principal: GetPrincipal) -> None:
        self._app = app
        self._asking = FastAPI(openapi_url=None)

        async def answer(request: Request, found: Any = Depends(get_principal)) -> Response:
            request.scope["state"][_IDENTITY] = None if found is None else _identity(found)
            return Response(status_code=HTTPStatus.NO_CONTENT)

        self._asking.add_api_route("/{path:path}", answer, methods=METHODS)
        self._asking.add_middleware(_AsHost)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if asks_for_somebody(scope):
            answer = await self._ask(scope)
            if answer is not None:
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _ask(self, scope: Scope) -> Response | None:
        """Note who calls, or return the host's answer to them."""
        state = scope.setdefault("state", {})
        # What an earlier application on the way has noted is no word of this host.
        state.pop(_IDENTITY, None)
        answer = Response()
        body = bytearray()

        async def no_body() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
                answer.raw_headers = list(message["headers"])
            body.extend(message.get("body", b""))

        await self._asking({**scope, _AsHost.KEY: scope.get("app")}, no_body, keep)
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return None
        redirects = 300 <= answer.status_code < 400
        opens_page = scope["method"] in SAFE_METHODS and prefers_html(Headers(scope=scope))
        if answer.status_code in _REFUSALS or (redirects and not opens_page):
            state[_REFUSED] = True
            return None
        answer.body = bytes(body)
        return answer


class _AsHost:
    """Lets the dependency see the host as `request.app`, and not the application that asks."""

    KEY = "waybill.host"

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "app": scope[self.KEY] or scope["app"]}, receive, send)


def asks_for_somebody(scope: Scope) -> bool:
    """Whether a request is for more than what nobody has to log in for."""
    # Browsers send preflights without a login.
    if scope["type"] != "http" or scope["method"] == "OPTIONS":
        return False
    return not path_within(scope).startswith(_PUBLIC)


def _identity(found: object) -> Identity:
    if not isinstance(found, Principal):
        raise TypeError(f"get_principal returned a {type(found).__name__}, not a waybill.Principal")
    now = datetime.now(UTC)
    named = f"{found.tenant}\0{found.user}".encode()
    issued = IssuedToken(
        found.tenant,
        found.user,
        issued_at=now,
        expires_at=now + _STREAM_LIFE,
        fingerprint=hashlib.sha256(b"host\0" + named).hexdigest(),
        token_id=None,
    )
    return Identity(found, issued, token="")
