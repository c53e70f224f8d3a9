"""Logins under way: what a browser was sent to the provider with, in a cookie of that browser.

The provider's answer counts only in the browser that has the cookie, so nobody can log another
person in as themselves, and a stolen code is of no use elsewhere.
"""

from __future__ import annotations

import hashlib
import secrets

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from waybill.api.http.cookies import cookie_of, cookie_path
from waybill.api.session.cookie import secure_prefix
from waybill.api.session.oidc.failures import EXPIRED, LoginFailed
from waybill.api.session.oidc.provider import Attempt
from waybill.infra.config.settings import Settings

_COOKIE = "waybill_login_"
#: As long as a person takes to log in, with a second factor.
_SECONDS = 15 * 60
#: Logins that one browser has begun in several tabs. More would fill the header of each request.
_MOST = 4


def new_attempt(after: str) -> Attempt:
    """A login that has not begun yet, with texts that nobody can guess."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Attempt(state, nonce, verifier, after)


def keep(attempt: Attempt, request: Request, response: Response, settings: Settings) -> None:
    """Give the browser a cookie for `attempt`; the oldest of too many are deleted."""
    prefix = secure_prefix(request, settings.public_url)
    held = [
        part.strip().partition("=")[0]
        for line in request.headers.getlist("cookie")
        for part in line.split(";")
        if part.strip().startswith(prefix + _COOKIE)
    ]
    for name in held[: max(0, len(held) - _MOST + 1)]:
        response.delete_cookie(name, path=cookie_path(request), secure=bool(prefix), httponly=True)
    response.set_cookie(
        prefix + _name(attempt.state),
        _serializer(settings).dumps(
            [attempt.state, attempt.nonce, attempt.verifier, attempt.after]
        ),
        max_age=_SECONDS,
        httponly=True,
        path=cookie_path(request),
        # The provider's answer is a navigation that begins at another site.
        samesite="lax",
        secure=bool(prefix),
    )


def take(state: str, request: Request, settings: Settings) -> Attempt:
    """The login of `state`, if this browser has begun it.

    Raises:
        LoginFailed: it has not, or long ago.
    """
    prefix = secure_prefix(request, settings.public_url)
    cookie = cookie_of(request, prefix + _name(state))
    if not state or cookie is None:
        raise LoginFailed(EXPIRED, "this browser has begun no such login")
    try:
        kept = Attempt(*_serializer(settings).loads(cookie, max_age=_SECONDS))
    except (BadData, TypeError, ValueError):
        raise LoginFailed(EXPIRED, "the cookie of the login has expired or is not ours") from None
    if not secrets.compare_digest(kept.state.encode(), state.encode()):
        raise LoginFailed(EXPIRED, "the cookie is that of another login")
    return kept


def forget(state: str, request: Request, response: Response, settings: Settings) -> None:
    """Delete the cookie of a login: it is answered once."""
    prefix = secure_prefix(request, settings.public_url)
    response.delete_cookie(
        prefix + _name(state), path=cookie_path(request), secure=bool(prefix), httponly=True
    )


def _name(state: str) -> str:
    digest = hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()
    return _COOKIE + digest[:16]


def _serializer(settings: Settings) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.derived_key("oidc login").hex())
