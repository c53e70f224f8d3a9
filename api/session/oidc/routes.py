"""``/session/oidc``: log in at the identity provider, by an authorization code with PKCE."""

from __future__ import annotations

import logging
from http import HTTPStatus

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.background import BackgroundTask

from waybill.api.context import Context, ContextDep
from waybill.api.http.admission import AdmittedRoute
from waybill.api.pages.rendering import PageSetupDep, sign_in_page
from waybill.api.problems.errors import EarlyResponse, Unauthenticated
from waybill.api.session.claims import BadClaim, email_of, missing_claims, principal_of
from waybill.api.session.cookie import MAX_TOKEN_CHARS, set_session_cookie
from waybill.api.session.destinations import own_path
from waybill.api.session.oidc.attempts import forget, keep, new_attempt, take
from waybill.api.session.oidc.failures import CANCELLED, INCOMPLETE, REFUSED, LoginFailed
from waybill.api.session.oidc.hint import keep_hint
from waybill.api.session.oidc.provider import Attempt, Provider
from waybill.api.session.session_tokens import issue
from waybill.api.session.tokens import Identity

log = logging.getLogger(__name__)

router = APIRouter(prefix="/session/oidc", include_in_schema=False, route_class=AdmittedRoute)


@router.get("")
def begin(request: Request, context: ContextDep, setup: PageSetupDep) -> Response:
    """Send the browser to the provider. `next` is where it continues afterwards."""
    provider = _provider(context)
    after = own_path(request.query_params.get("next", ""))
    attempt = new_attempt(after)
    try:
        address = provider.login_address(attempt, create_s256_code_challenge(attempt.verifier))
    except LoginFailed as failure:
        return _failed(context, setup, failure, after)
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    keep(attempt, request, response, context.services.settings)
    return response


@router.get("/callback")
def finish(request: Request, context: ContextDep, setup: PageSetupDep) -> Response:
    """The provider's answer: a session, or one page that says why there is none."""
    provider, settings = _provider(context), context.services.settings
    query = request.query_params
    state, after = query.get("state", ""), ""
    try:
        attempt = take(state, request, settings)
        after = attempt.after
        if error := query.get("error"):
            raise LoginFailed(
                CANCELLED if error == "access_denied" else REFUSED,
                f"the provider answers {error if error.isidentifier() else 'with an error'}",
            )
        if "iss" in query and not provider.is_issuer(query["iss"]):
            raise LoginFailed(REFUSED, "the answer is another provider's (iss)")
        identity, id_token = _identity(context, provider, query.get("code", ""), attempt)
    except LoginFailed as failure:
        response = _failed(context, setup, failure, after)
    else:
        response = RedirectResponse(after or "/", HTTPStatus.SEE_OTHER)
        set_session_cookie(
            response, request, settings.public_url, identity.token, identity.expires_at
        )
        keep_hint(id_token, request, response, identity.expires_at, settings)
        response.background = BackgroundTask(context.services.session_log.begun, identity.principal)
    forget(state, request, response, settings)
    return response


def _identity(
    context: Context, provider: Provider, code: str, attempt: Attempt
) -> tuple[Identity, str]:
    settings = context.services.settings
    login = provider.log_in(code, attempt)
    claims = login.claims
    if missing_claims(claims, settings) or "email" not in claims:
        # Many providers put little into ID tokens.
        claims = provider.more_claims(login)
    try:
        person = principal_of(claims, settings)
    except BadClaim as problem:
        raise LoginFailed(INCOMPLETE, str(problem)) from None
    email = email_of(claims, trusted=settings.trust_email_claim)
    token = issue(settings, person, email, "oidc")
    if len(token) > MAX_TOKEN_CHARS:
        raise LoginFailed(INCOMPLETE, "the roles and attributes are too many for a cookie")
    try:
        return context.verifier.verify_cookie(token), login.id_token
    except Unauthenticated:
        raise LoginFailed(REFUSED, "the session was revoked") from None


def _failed(context: Context, setup: PageSetupDep, failure: LoginFailed, after: str) -> Response:
    log.warning("login at the identity provider failed", extra={"why": str(failure)})
    page = sign_in_page(setup, problem=failure.problem, after=after)
    page.background = BackgroundTask(context.services.session_log.refused, failure.problem)
    return page


def _provider(context: Context) -> Provider:
    if context.oidc is None:
        raise EarlyResponse(RedirectResponse("/", HTTPStatus.SEE_OTHER))
    return context.oidc
