"""Language selection: the choice made on the page, otherwise `Accept-Language`.

RFC 9110, 12.5.4.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeGuard, get_args

from fastapi import Depends
from starlette.requests import Request

from waybill.api.http.accept import weighted
from waybill.api.http.cookies import cookie_of

Language = Literal["en", "zh"]

#: Holds the language that was chosen on the page in this browser.
LANGUAGE_COOKIE = "waybill_language"

LANGUAGES: tuple[Language, ...] = get_args(Language)
DEFAULT: Language = "en"


def preferred_language(accept_language: str) -> Language:
    """The supported language with the highest weight in the header; otherwise English."""
    # The sort is stable, so entries of equal weight keep the caller's order.
    for tag, weight in sorted(weighted(accept_language), key=lambda item: -item[1]):
        primary = tag.partition("-")[0]
        if weight > 0 and _is_supported(primary):
            return primary
    return DEFAULT


def language_of(request: Request) -> Language:
    """The language to answer `request` in."""
    chosen = cookie_of(request, LANGUAGE_COOKIE) or ""
    if _is_supported(chosen):
        return chosen
    return preferred_language(request.headers.get("accept-language", ""))


async def _language(request: Request) -> Language:
    return language_of(request)


LanguageDep = Annotated[Language, Depends(_language)]


def _is_supported(tag: str) -> TypeGuard[Language]:
    return tag in LANGUAGES
