"""``/``: the task centre or the login form, and the language switch."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from waybill.api.context import ServicesDep
from waybill.api.languages import LANGUAGE_COOKIE
from waybill.api.pages.rendering import PageSetupDep, sign_in_page, task_centre_page
from waybill.api.pages.texts import CATALOGUES
from waybill.api.session.auth import PageSession, require_own_origin

router = APIRouter(include_in_schema=False)

#: How long a browser keeps the language that was selected.
_LANGUAGE_COOKIE_AGE = timedelta(days=365)


@router.get("/")
def task_centre(services: ServicesDep, setup: PageSetupDep, session: PageSession) -> Response:
    """The task centre, or the login form."""
    if session is None:
        return sign_in_page(setup)
    return task_centre_page(setup, services, session.principal)


@router.post("/language", dependencies=[Depends(require_own_origin)])
def choose_language(request: Request, language: Annotated[str, Form()] = "") -> Response:
    """Remember a language for this browser, and go back to the page the form was on."""
    response = RedirectResponse(_referring_page(request), HTTPStatus.SEE_OTHER)
    if language in CATALOGUES:
        response.set_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=int(_LANGUAGE_COOKIE_AGE.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=request.headers["origin"].startswith("https:"),
        )
    return response


def _referring_page(request: Request) -> str:
    """Path and query of the page that sent the form; `/` for pages of other hosts."""
    sender = urlsplit(request.headers.get("referer", ""))
    if sender.netloc != request.headers.get("host"):
        return "/"
    path = "/" + sender.path.lstrip("/")
    return f"{path}?{sender.query}" if sender.query else path
