"""Logging in to the page: the token goes into a cookie that no script can read."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from waybill.api.context import ContextDep
from waybill.api.links.pages import continue_page, own_link
from waybill.api.pages.page import Look, LookDep, sign_in_page
from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.auth import SESSION_COOKIE, require_own_origin

router = APIRouter(prefix="/session", include_in_schema=False)

#: Browsers drop cookies whose name and value are over 4,096 bytes. (RFC 6265, 6.1.)
_MAX_COOKIE_CHARS = 4096 - len(SESSION_COOKIE)

#: Sent when a link in a mail or a chat is clicked, which strict cookies are not: people would
#: be asked to log in again. Unsafe methods must come from our own origin besides.
_SAME_SITE: Literal["lax"] = "lax"


@router.post("")
def begin(
    request: Request,
    context: ContextDep,
    look: LookDep,
    token: Annotated[str, Form()] = "",
    after: Annotated[str, Form(alias="next")] = "",
) -> Response:
    """Log in with a token, and go on to the share link that asked for it, if one did."""
    # Another site's page must not log a browser in as somebody else, either.
    require_own_origin(request)
    token = token.strip()
    after = own_link(after)
    if len(token) > _MAX_COOKIE_CHARS:
        return sign_in_page(look, problem="token_too_long", after=after)
    try:
        identity = context.verifier.verify(token)
    except Unauthenticated:
        return sign_in_page(look, problem="token_refused", after=after)
    response = _go_on(look, after)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=max(0, int((identity.expires_at - datetime.now(UTC)).total_seconds())),
        httponly=True,
        samesite=_SAME_SITE,
        # What the browser sees; behind a proxy, the request itself may be plain HTTP.
        secure=request.headers["origin"].startswith("https:"),
    )
    return response


@router.post("/end")
def end(request: Request) -> Response:
    """Log out."""
    require_own_origin(request)
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite=_SAME_SITE)
    return response


def _go_on(look: Look, after: str) -> Response:
    if not after:
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    # No redirect: browsers hold the policy `form-action 'self'` against every host that a
    # submitted form is redirected to, and the link leads on to the object store.
    return continue_page(look, after)
