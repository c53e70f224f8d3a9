"""Logging in to the page: the token goes into a cookie that no script can read."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import SESSION_COOKIE, require_own_origin
from api.context import ContextDep
from api.errors import Unauthenticated
from api.page import sign_in_page

router = APIRouter(prefix="/session", include_in_schema=False)

#: Browsers drop cookies whose name and value are over 4,096 bytes. (RFC 6265, 6.1.)
_MAX_COOKIE_CHARS = 4096 - len(SESSION_COOKIE)


@router.post("")
def begin(request: Request, context: ContextDep, token: Annotated[str, Form()] = "") -> Response:
    """Log in with a token."""
    # Another site's page must not log a browser in as somebody else, either.
    require_own_origin(request)
    token = token.strip()
    if len(token) > _MAX_COOKIE_CHARS:
        return sign_in_page(context.static_address, problem="token_too_long")
    try:
        identity = context.verifier.verify(token)
    except Unauthenticated:
        return sign_in_page(context.static_address, problem="token_refused")
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=max(0, int((identity.expires_at - datetime.now(UTC)).total_seconds())),
        httponly=True,
        samesite="strict",
        # What the browser sees; behind a proxy, the request itself may be plain HTTP.
        secure=request.headers["origin"].startswith("https:"),
    )
    return response


@router.post("/end")
def end(request: Request) -> Response:
    """Log out."""
    require_own_origin(request)
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return response
