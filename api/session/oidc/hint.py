"""The ID token of a session, kept in the browser for the provider's logout page alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from waybill.api.http.cookies import cookie_of
from waybill.api.http.prefix import prefix_in
from waybill.api.session.cookie import MAX_TOKEN_CHARS, UNDER_A_PATH
from waybill.api.session.origins import sent_over_tls
from waybill.infra.config.settings import Settings

_COOKIE = "waybill_id_token"
_PATH = "/session/end"


def keep_hint(
    id_token: str,
    request: Request,
    response: Response,
    expires_at: datetime,
    settings: Settings,
) -> None:
    """Keep `id_token`, unless it is too long for a cookie: providers can do without it."""
    if len(id_token) <= MAX_TOKEN_CHARS:
        secure = sent_over_tls(request.headers, settings.public_url)
        response.set_cookie(
            (UNDER_A_PATH if secure else "") + _COOKIE,
            id_token,
            max_age=max(0, (expires_at - datetime.now(UTC)) // timedelta(seconds=1)),
            httponly=True,
            path=prefix_in(request) + _PATH,
            samesite="lax",
            secure=secure,
        )


def hint_of(request: Request, settings: Settings) -> str | None:
    """The ID token of this browser's session, if it was kept."""
    secure = sent_over_tls(request.headers, settings.public_url)
    return cookie_of(request, (UNDER_A_PATH if secure else "") + _COOKIE)


def forget_hint(request: Request, response: Response, settings: Settings) -> None:
    """Delete it, if there is one."""
    if hint_of(request, settings) is None:
        return
    secure = sent_over_tls(request.headers, settings.public_url)
    response.delete_cookie(
        (UNDER_A_PATH if secure else "") + _COOKIE,
        path=prefix_in(request) + _PATH,
        secure=secure,
        httponly=True,
    )
