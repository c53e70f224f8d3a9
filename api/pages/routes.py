"""``/``: the task centre, or the way into it, in the language a person chose."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from waybill.api.context import ServicesDep
from waybill.api.languages import LANGUAGE_COOKIE
from waybill.api.pages.page import LookDep, sign_in_page, task_centre_page
from waybill.api.pages.texts import LANGUAGES
from waybill.api.session.auth import require_own_origin, session_identity
from waybill.api.session.tokens import Identity

router = APIRouter(include_in_schema=False)

Session = Annotated[Identity | None, Depends(session_identity)]

_CHOICE_LASTS = timedelta(days=365)


@router.get("/")
def task_centre(services: ServicesDep, look: LookDep, identity: Session) -> Response:
    """The page."""
    if identity is None:
        return sign_in_page(look)
    return task_centre_page(look, services, identity.principal)


@router.post("/language")
def choose_language(request: Request, language: Annotated[str, Form()] = "") -> Response:
    """Keep a language for this browser, and go back to where it was chosen."""
    require_own_origin(request)
    response = RedirectResponse(_page_of(request), HTTPStatus.SEE_OTHER)
    if language in LANGUAGES:
        response.set_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=int(_CHOICE_LASTS.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=request.headers["origin"].startswith("https:"),
        )
    return response


def _page_of(request: Request) -> str:
    """Path and query of the page that sent this; of no other host's."""
    sender = urlsplit(request.headers.get("referer", ""))
    if sender.netloc != request.headers.get("host"):
        return "/"
    path = "/" + sender.path.lstrip("/")
    return f"{path}?{sender.query}" if sender.query else path
