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
from waybill.api.pages.rendering import PageSetup, PageSetupDep, logged_out_page, sign_in_page
from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated
from waybill.api.session.auth import require_own_origin, session_identity
from waybill.api.session.cookie import (
    MAX_TOKEN_CHARS,
    delete_session_cookie,
    set_session_cookie,
)
from waybill.api.session.destinations import own_path
from waybill.api.session.login_links import without_link
from waybill.api.session.oidc.hint import forget_hint, hint_of
from waybill.api.session.origins import in_secure_context
from waybill.api.session.tickets import exchange, is_ticket
from waybill.api.session.tokens import Identity
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
async def login_form(request: Request, setup: PageSetupDep) -> Response:
    """The form that a login link opens, also where somebody is logged in already.

    A person has to press its button: otherwise a link of another site would log a browser in as
    another user.
    """
    return sign_in_page(setup, after=own_path(request.query_params.get("next", "")))


@router.post("")
def begin(
    request: Request,
    context: ContextDep,
    setup: PageSetupDep,
    token: Annotated[str, Form()] = "",
    after: Annotated[str, Form(alias="next")] = "",
) -> Response:
    """Log in with a token, and continue to the file or page that asked for it, if one did."""
    token = without_link(token)
    after = own_path(after)
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
    elsewhere = None
    with suppress(IdentityProviderDown, RevocationsUnread):
        # Without them the token cannot be verified, and the browser forgets it all the same.
        if identity := session_identity(request, context):
            context.denylist.end_session(identity.issued)
            elsewhere = logout_elsewhere(request, context, identity)
    return logged_out(request, context, setup, elsewhere)


def logout_elsewhere(request: Request, context: Context, identity: Identity) -> str | None:
    """The provider's logout page, if `identity` logged in there and it has one."""
    if context.oidc is None or identity.way != "oidc":
        return None
    return context.oidc.logout_address(hint_of(request, context.services.settings))


def logged_out(
    request: Request, context: Context, setup: PageSetup, elsewhere: str | None = None
) -> Response:
    """The answer to a browser whose session has ended: it forgets the cookie and what it stored.

    It continues to `elsewhere`, the provider's logout page, by itself.
    """
    settings = context.services.settings
    response: Response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    if elsewhere:
        # Not a redirect, for the reason that `_continue_to` states.
        response = logged_out_page(setup, elsewhere)
    forget_hint(request, response, settings)
    delete_session_cookie(response, request)
    if in_secure_context(request.headers, settings.public_url):
        response.headers["Clear-Site-Data"] = _CLEAR_CACHE if setup.base else _CLEAR_ALL
    return response


def _continue_to(setup: PageSetup, after: str) -> Response:
    if not file_address(after):
        return RedirectResponse(after or "/", HTTPStatus.SEE_OTHER)
    # Not a redirect: browsers apply `form-action 'self'` to every host that a submitted form is
    # redirected to, and the link redirects to the object store.
    return continue_page(setup, after)
