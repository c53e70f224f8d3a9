"""``/session``: log in to and out of the pages. The token is kept in an HttpOnly cookie."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.background import BackgroundTask

from waybill.api.context import Context, ContextDep
from waybill.api.http.admission import AdmittedRoute
from waybill.api.links.pages import continue_page, file_address
from waybill.api.pages.rendering import PageSetup, PageSetupDep, sign_in_page
from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated
from waybill.api.session.auth import require_own_origin, session_identity
from waybill.api.session.cookie import (
    MAX_TOKEN_CHARS,
    delete_session_cookie,
    set_session_cookie,
)
from waybill.api.session.login_links import without_link
from waybill.api.session.origins import in_secure_context
from waybill.api.session.tickets import exchange, is_ticket
from waybill.infra.sessions.denylist import RevocationsUnread

# Another site's page must not log a browser in as another user, or out.
router = APIRouter(
    prefix="/session",
    include_in_schema=False,
    dependencies=[Depends(require_own_origin)],
    route_class=AdmittedRoute,
)

#: Deletes what pages have stored in the browser. The whole origin is concerned, so under a path of
#: a host that others share, nothing but cached answers. Never `cookies`: that takes those of all
#: hosts of the domain.
_CLEAR_ALL, _CLEAR_CACHE = '"cache", "storage"', '"cache"'


@router.get("")
async def login_form(setup: PageSetupDep) -> Response:
    """The form that a login link opens, also where somebody is logged in already.

    A person has to press its button: otherwise a link of another site would log a browser in as
    another user.
    """
    return sign_in_page(setup)


@router.post("")
def begin(
    request: Request,
    context: ContextDep,
    setup: PageSetupDep,
    token: Annotated[str, Form()] = "",
    after: Annotated[str, Form(alias="next")] = "",
) -> Response:
    """Log in with a token, and continue to the file that asked for it, if one did."""
    token = without_link(token)
    after = file_address(after)
    session_log = context.services.session_log
    ticket = is_ticket(token)
    problem = "ticket_refused" if ticket else "token_refused"
    if len(token) > MAX_TOKEN_CHARS:
        problem = "token_too_long"
    try:
        if problem == "token_too_long":
            raise Unauthenticated
        identity = exchange(context, token) if ticket else context.verifier.verify(token)
    except Unauthenticated:
        page = sign_in_page(setup, problem=problem, after=after)
        # An empty form is a mistake, and no attempt.
        if token:
            page.background = BackgroundTask(session_log.refused, problem)
        return page
    response = _continue_to(setup, after)
    response.background = BackgroundTask(session_log.begun, identity.principal)
    set_session_cookie(
        response, request, context.services.settings.public_url, identity.token, identity.expires_at
    )
    return response


@router.post("/end")
def end(request: Request, context: ContextDep, setup: PageSetupDep) -> Response:
    """Log out: the cookie is deleted, and its token is good for nobody any more."""
    with suppress(IdentityProviderDown, RevocationsUnread):
        # Without them the token cannot be verified, and the browser forgets it all the same.
        if identity := session_identity(request, context):
            context.denylist.end_session(identity.issued)
    return logged_out(request, context, setup)


def logged_out(request: Request, context: Context, setup: PageSetup) -> Response:
    """The answer to a browser whose session has ended: it forgets the cookie and what it stored."""
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    delete_session_cookie(response, request)
    if in_secure_context(request.headers, context.services.settings.public_url):
        response.headers["Clear-Site-Data"] = _CLEAR_CACHE if setup.base else _CLEAR_ALL
    return response


def _continue_to(setup: PageSetup, after: str) -> Response:
    if not after:
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    # Not a redirect: browsers apply `form-action 'self'` to every host that a submitted form is
    # redirected to, and the link redirects to the object store.
    return continue_page(setup, after)
