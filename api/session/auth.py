"""Authentication: the caller of a request, by bearer token or by session cookie.

Browsers may attach the cookie to requests that other sites cause, so an unsafe method that relies
on the cookie must come from our own origin. A token in an address is refused: addresses are logged.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.requests import Request

from waybill.api.context import Context, ContextDep
from waybill.api.embed.cors import starts_export
from waybill.api.http.accept import prefers_html
from waybill.api.http.prefix import path_within
from waybill.api.http.safe_methods import SAFE_METHODS
from waybill.api.problems.errors import ForeignOrigin, TokenInQuery, Unauthenticated
from waybill.api.session.cookie import SESSION_COOKIE, session_token
from waybill.api.session.host_login import host_identity, host_refused
from waybill.api.session.origins import is_own_origin
from waybill.api.session.tokens import Identity
from waybill.exporter.datasets.principal import Principal

_TOKEN_PARAMETERS = frozenset({"token", "access_token", "api_key", "jwt", "authorization"})

#: Only for the OpenAPI document: the framework accepts the first of two headers, and we refuse.
_bearer_docs = HTTPBearer(auto_error=False, bearerFormat="JWT")
_cookie_docs = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    description="Over HTTPS the name begins with `__Host-`, or with `__Secure-` under a path.",
)


def identity_of(request: Request, context: Context) -> Identity:
    """The caller and its token.

    Raises:
        Unauthenticated, TokenInQuery, ForeignOrigin, IdentityProviderDown, RevocationsUnread.
    """
    # `StrictRoute` has asked before it read the body.
    if known := getattr(request.state, "identity", None):
        return cast("Identity", known)
    if host_refused(request):
        raise Unauthenticated
    if host := host_identity(request):
        # The host may know its caller by a cookie. Browsers say where a request comes from, and
        # what says nothing is no browser.
        if {"origin", "sec-fetch-site"} & set(request.headers.keys()):
            _check_sender(request, context)
        request.state.caller = host.principal
        request.state.identity = host
        return host
    if _TOKEN_PARAMETERS & {name.lower() for name in request.query_params}:
        raise TokenInQuery
    bearer = bearer_token(request)
    session = session_token(request, context.services.settings.public_url)
    if bearer is None and session is None:
        raise Unauthenticated
    if bearer and session and bearer != session:
        raise Unauthenticated("Two different tokens were sent.")
    if bearer is None:
        _check_sender(request, context)
    verifier = context.verifier
    identity = verifier.verify(bearer) if bearer else verifier.verify_cookie(session or "")
    request.state.caller = identity.principal
    request.state.identity = identity
    return identity


# Coroutines, because the framework hands a request over to a thread for each dependency that is
# none. None of these waits for anything.


async def identify(
    request: Request,
    context: ContextDep,
    _bearer: Annotated[object, Security(_bearer_docs)] = None,
    _cookie: Annotated[object, Security(_cookie_docs)] = None,
) -> Identity:
    """`identity_of`, as a route's parameter."""
    return identity_of(request, context)


Identified = Annotated[Identity, Depends(identify)]


async def authenticate(identity: Identified) -> Principal:
    """The caller, as a route's parameter. Raises what `identify` raises."""
    return identity.principal


Caller = Annotated[Principal, Depends(authenticate)]


async def authenticate_optional(
    request: Request,
    context: ContextDep,
    _bearer: Annotated[object, Security(_bearer_docs)] = None,
    _cookie: Annotated[object, Security(_cookie_docs)] = None,
) -> Principal | None:
    """The caller, or None for a browser without a session, which is shown the login form.

    Raises:
        What `identify` raises; `Unauthenticated` only for programs.
    """
    try:
        return identity_of(request, context).principal
    except Unauthenticated:
        if wants_page(request) and not host_refused(request):
            return None
        raise


OptionalCaller = Annotated[Principal | None, Depends(authenticate_optional)]


def wants_page(request: Request) -> bool:
    """Whether a browser will show the answer. Programs send a token or do not ask for HTML."""
    return "authorization" not in request.headers and prefers_html(request.headers)


async def _email_of_caller(identity: Identified) -> str | None:
    return identity.email


#: The caller's own mail address, or None.
CallerEmail = Annotated[str | None, Depends(_email_of_caller)]


def session_identity(request: Request, context: Context) -> Identity | None:
    """The identity in the session cookie, or None without a valid one."""
    token = session_token(request, context.services.settings.public_url)
    if token is None:
        return None
    try:
        return context.verifier.verify_cookie(token)
    except Unauthenticated:
        return None


async def _page_session(request: Request, context: ContextDep) -> Identity | None:
    if host_refused(request) or host_identity(request):
        return identity_of(request, context)
    return session_identity(request, context)


PageSession = Annotated[Identity | None, Depends(_page_session)]


async def require_own_origin(request: Request, context: ContextDep) -> None:
    """Refuse an unsafe request that a page of another site made a browser send.

    The session cookie is `SameSite=Lax`, so browsers do not send it with other sites' unsafe
    requests either.

    Raises:
        ForeignOrigin.
    """
    _check_origin(request, context)


def _check_sender(request: Request, context: Context) -> None:
    """As `_check_origin`; pages that show the export button may start an export, and no more."""
    origin = request.headers.get("origin", "")
    embedded = origin in context.services.settings.embedding_origins
    if not (embedded and starts_export(request.method, path_within(request.scope))):
        _check_origin(request, context)


def _check_origin(request: Request, context: Context) -> None:
    if request.method in SAFE_METHODS:
        return
    if not is_own_origin(request.headers, context.services.settings.public_url):
        raise ForeignOrigin


def bearer_token(request: Request) -> str | None:
    """The token in the Authorization header; None without the header.

    Raises:
        Unauthenticated: there are two, or something else is in it.
    """
    headers = request.headers.getlist("authorization")
    if not headers:
        return None
    scheme, _, token = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    return token
