"""``/``: the task centre or the login form, and the language switch."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from waybill.api.context import ServicesDep
from waybill.api.http.admission import AdmittedRoute
from waybill.api.http.cookies import cookie_path
from waybill.api.languages import LANGUAGE_COOKIE
from waybill.api.pages.rendering import PageSetupDep, sign_in_page, task_centre_page
from waybill.api.pages.texts import CATALOGUES
from waybill.api.session.auth import PageSession, require_own_origin
from waybill.api.session.destinations import own_path
from waybill.api.session.origins import same_origin, sent_over_tls

router = APIRouter(include_in_schema=False, route_class=AdmittedRoute)

#: How long a browser keeps the language that was selected.
_LANGUAGE_COOKIE_AGE = timedelta(days=365)


@router.get("/")
def task_centre(
    request: Request, services: ServicesDep, setup: PageSetupDep, session: PageSession
) -> Response:
    """The task centre, or the login form, which continues to a form that is filled in."""
    if session is None:
        query = request.url.query
        return sign_in_page(setup, after=own_path(f"/?{query}") if query else "")
    services.schedule_owners.saw(session.principal)
    return task_centre_page(setup, services, session.principal, session.email)


@router.post("/language", dependencies=[Depends(require_own_origin)])
def choose_language(
    request: Request,
    services: ServicesDep,
    setup: PageSetupDep,
    language: Annotated[str, Form()] = "",
) -> Response:
    """Remember a language for this browser, and go back to the page the form was on."""
    response = RedirectResponse(_referring_page(request, setup.base), HTTPStatus.SEE_OTHER)
    if language in CATALOGUES:
        response.set_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=int(_LANGUAGE_COOKIE_AGE.total_seconds()),
            httponly=True,
            path=cookie_path(request),
            samesite="strict",
            secure=sent_over_tls(request.headers, services.settings.public_url),
        )
    return response


def _referring_page(request: Request, base: str) -> str:
    """Path and query of the page that sent the form, without `base`; `/` if it is unknown."""
    referrer = request.headers.get("referer", "")
    # The origin has been checked. It is not `Host`, which proxies rewrite.
    if not same_origin(referrer, request.headers.get("origin", "")):
        return "/"
    sender = urlsplit(referrer)
    path = "/" + sender.path.removeprefix(base).lstrip("/")
    return f"{path}?{sender.query}" if sender.query else path
