"""``/session``: log in to and out of the pages. The token is kept in an HttpOnly cookie."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.background import BackgroundTask

from waybill.api.context import ContextDep
from waybill.api.links.pages import continue_page, file_address
from waybill.api.pages.rendering import PageSetup, PageSetupDep, sign_in_page
from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.auth import SESSION_COOKIE, require_own_origin
from waybill.api.session.origins import sent_over_tls

# Another site's page must not log a browser in as another user, or out.
router = APIRouter(
    prefix="/session", include_in_schema=False, dependencies=[Depends(require_own_origin)]
)

#: Browsers drop cookies whose name and value exceed 4,096 bytes. (RFC 6265, 6.1.)
_MAX_COOKIE_CHARS = 4096 - len(SESSION_COOKIE)

#: Lax cookies are sent when a link in a mail or a chat is clicked. Strict ones are not, so people
#: would have to log in again. Unsafe methods must come from our own origin anyway.
_SAME_SITE: Literal["lax"] = "lax"


@router.post("")
def begin(
    request: Request,
    context: ContextDep,
    setup: PageSetupDep,
    token: Annotated[str, Form()] = "",
    after: Annotated[str, Form(alias="next")] = "",
) -> Response:
    """Log in with a token, and continue to the file that asked for it, if one did."""
    token = token.strip()
    after = file_address(after)
    session_log = context.services.session_log
    problem = "token_too_long" if len(token) > _MAX_COOKIE_CHARS else "token_refused"
    try:
        if problem == "token_too_long":
            raise Unauthenticated
        identity = context.verifier.verify(token)
    except Unauthenticated:
        page = sign_in_page(setup, problem=problem, after=after)
        # An empty form is a mistake, and no attempt.
        if token:
            page.background = BackgroundTask(session_log.refused, problem)
        return page
    response = _continue_to(setup, after)
    response.background = BackgroundTask(session_log.begun, identity.principal)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=max(0, int((identity.expires_at - datetime.now(UTC)).total_seconds())),
        httponly=True,
        path=setup.cookie_path,
        samesite=_SAME_SITE,
        secure=sent_over_tls(request.headers, context.services.settings.public_url),
    )
    return response


@router.post("/end")
def end(setup: PageSetupDep) -> Response:
    """Log out."""
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    response.delete_cookie(
        SESSION_COOKIE, path=setup.cookie_path, httponly=True, samesite=_SAME_SITE
    )
    return response


def _continue_to(setup: PageSetup, after: str) -> Response:
    if not after:
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    # Not a redirect: browsers apply `form-action 'self'` to every host that a submitted form is
    # redirected to, and the link redirects to the object store.
    return continue_page(setup, after)
