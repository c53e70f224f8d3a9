"""Which language a caller reads: the one chosen on the page, else by `Accept-Language`.

RFC 9110, 12.5.4.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeGuard, get_args

from fastapi import Depends
from starlette.requests import Request

Language = Literal["en", "zh"]

#: What somebody chose on the page, for this browser.
LANGUAGE_COOKIE = "waybill_language"

LANGUAGES: tuple[Language, ...] = get_args(Language)
DEFAULT: Language = "en"
#: More entries than any browser sends; the rest is not read.
_MAX_RANGES = 20


def preferred_language(accept_language: str) -> Language:
    """The first of our languages in the order of the header's weights; English otherwise."""
    ranges = [_weighed(item) for item in accept_language.split(",")[:_MAX_RANGES]]
    # Sorting is stable, so equal weights stay in the caller's order.
    for tag, weight in sorted(ranges, key=lambda item: -item[1]):
        primary = tag.partition("-")[0].lower()
        if weight > 0 and _spoken(primary):
            return primary
    return DEFAULT


def language_of(request: Request) -> Language:
    """The language to answer `request` in."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if _spoken(chosen):
        return chosen
    return preferred_language(request.headers.get("accept-language", ""))


LanguageDep = Annotated[Language, Depends(language_of)]


def _spoken(tag: str) -> TypeGuard[Language]:
    return tag in LANGUAGES


def _weighed(item: str) -> tuple[str, float]:
    tag, _, parameters = item.partition(";")
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return tag.strip(), 1.0
    try:
        weight = float(value)
    except ValueError:
        return tag.strip(), 0.0
    return tag.strip(), weight if 0 <= weight <= 1 else 0.0
