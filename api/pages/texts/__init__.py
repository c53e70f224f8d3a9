"""Every text of the pages, by language; `waybill.api.languages` chooses one for a request.

Names in braces are filled in by the page; numbers and times are written as the language
writes them. A test holds all languages to the same keys and the same holes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waybill.api.languages import Language
from waybill.api.pages.texts.chinese import CHINESE
from waybill.api.pages.texts.chinese_admin import CHINESE_ADMIN
from waybill.api.pages.texts.english import ENGLISH
from waybill.api.pages.texts.english_admin import ENGLISH_ADMIN

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PageLanguage:
    """One language of the pages. `tag` is BCP 47; browsers format numbers and dates by it."""

    code: Language
    tag: str
    #: What its speakers call it, on the switch.
    name: str
    page: Texts
    admin: Texts


LANGUAGES: Mapping[Language, PageLanguage] = {
    "en": PageLanguage("en", "en", "English", ENGLISH, ENGLISH_ADMIN),
    "zh": PageLanguage("zh", "zh-CN", "中文", CHINESE, CHINESE_ADMIN),
}
