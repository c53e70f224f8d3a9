"""The session cookie: its name, where it is accepted, and how it is set and deleted.

Over HTTPS its name has a prefix that browsers enforce (RFC 6265bis, 4.1.3). `__Host-` for a whole
host, `__Secure-` under a path: neither can be set over plain HTTP, and the first not by a
neighbouring host either. The plain name is for plain HTTP.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from waybill.api.http.cookies import cookie_of, cookie_path
from waybill.api.http.prefix import prefix_in
from waybill.api.session.origins import same_origin, sent_over_tls

SESSION_COOKIE = "waybill_session"
WHOLE_HOST, UNDER_A_PATH = "__Host-", "__Secure-"

#: Browsers drop cookies whose name and value exceed 4,096 bytes. (RFC 6265, 6.1)
MAX_TOKEN_CHARS = 4096 - len(UNDER_A_PATH + SESSION_COOKIE)

#: Lax cookies are sent when a link in a mail or a chat is clicked. Strict ones are not, so people
#: would have to log in again. Unsafe methods must come from our own origin anyway.
_SAME_SITE: Literal["lax"] = "lax"


def session_token(request: Request, public_url: str | None) -> str | None:
    """The token in the session cookie, or None.

    The plain name does not count where the request is known to have come over HTTPS: a page over
    plain HTTP, or on a neighbouring host, may have set it.
    """
    token = cookie_of(request, _prefix(request) + SESSION_COOKIE)
    if token is not None or _is_over_tls(request, public_url):
        return token
    return cookie_of(request, SESSION_COOKIE)


def set_session_cookie(
    response: Response, request: Request, public_url: str | None, token: str, expires_at: datetime
) -> None:
    """Keep `token` in the browser until it expires."""
    secure = sent_over_tls(request.headers, public_url)
    response.set_cookie(
        (_prefix(request) if secure else "") + SESSION_COOKIE,
        token,
        max_age=max(0, (expires_at - datetime.now(UTC)) // timedelta(seconds=1)),
        httponly=True,
        path=cookie_path(request),
        samesite=_SAME_SITE,
        secure=secure,
    )


def delete_session_cookie(response: Response, request: Request) -> None:
    """Delete the cookie by each name that it may have in this browser."""
    # Browsers ignore a prefixed name without `Secure`, and one with it over plain HTTP.
    for prefix in ("", _prefix(request)):
        response.delete_cookie(
            prefix + SESSION_COOKIE,
            path=cookie_path(request),
            httponly=True,
            samesite=_SAME_SITE,
            secure=bool(prefix),
        )


def secure_prefix(request: Request, public_url: str | None) -> str:
    """The prefix of a cookie that belongs to the whole installation; empty over plain HTTP."""
    return _prefix(request) if sent_over_tls(request.headers, public_url) else ""


def _prefix(request: Request) -> str:
    return UNDER_A_PATH if prefix_in(request) else WHOLE_HOST


def _is_over_tls(request: Request, public_url: str | None) -> bool:
    """Whether the browser is known to have sent the request over HTTPS.

    It is where the server, or a trusted proxy, says so, and where it was sent to the host of a
    public address that is `https://`. A proxy may have changed `Host`; then nobody knows.
    """
    if request.url.scheme == "https":
        return True
    if urlsplit(public_url or "").scheme != "https":
        return False
    return same_origin(f"https://{request.headers.get('host', '')}", public_url or "")
