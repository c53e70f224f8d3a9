"""Who may read `/metrics`: who has the token, or, without one, a program on this machine."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends
from pydantic import SecretStr
from starlette.requests import Request

from waybill.api.context import ContextDep
from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.auth import bearer_token
from waybill.infra.config.addresses import is_loopback

#: Any of these says that a proxy has passed the request on: its sender may be anybody.
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


async def require_scraper(request: Request, context: ContextDep) -> None:
    """Let in who may read the figures, as `check_scraper` does."""
    check_scraper(request, context.services.settings.metrics_token)


def check_scraper(request: Request, token: SecretStr | None) -> None:
    """Let in who has `token`, or, without one, a program on this machine.

    A proxy on this machine that adds no header looks like a program on this machine.

    Raises:
        Unauthenticated.
    """
    if token is not None:
        given = bearer_token(request) or ""
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            raise Unauthenticated("Send the token of WAYBILL_METRICS_TOKEN as a bearer token.")
    elif not _is_from_this_machine(request):
        raise Unauthenticated(
            "Set WAYBILL_METRICS_TOKEN to read the metrics from another machine or by a proxy."
        )


#: As a parameter, so that it holds for GET and HEAD alike.
ScraperOnly = Annotated[None, Depends(require_scraper)]


def _is_from_this_machine(request: Request) -> bool:
    if any(name in request.headers for name in _FORWARDED):
        return False
    # None: a socket without an address.
    return request.client is not None and is_loopback(request.client.host)
