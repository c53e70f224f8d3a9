"""The page texts in every language. `waybill.api.languages` selects the one for a request.

The page fills in names in braces and formats numbers and times by the rules of the language. A
test requires the same keys and the same placeholders in all languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waybill.api.languages import Language
from waybill.api.pages.texts.chinese import CHINESE
from waybill.api.pages.texts.chinese_admin import CHINESE_ADMIN
from waybill.api.pages.texts.chinese_approvals import CHINESE_APPROVALS
from waybill.api.pages.texts.chinese_choice import CHINESE_CHOICE
from waybill.api.pages.texts.chinese_fields import CHINESE_FIELDS
from waybill.api.pages.texts.chinese_passwords import CHINESE_PASSWORDS
from waybill.api.pages.texts.chinese_saved import CHINESE_SAVED
from waybill.api.pages.texts.english import ENGLISH
from waybill.api.pages.texts.english_admin import ENGLISH_ADMIN
from waybill.api.pages.texts.english_approvals import ENGLISH_APPROVALS
from waybill.api.pages.texts.english_choice import ENGLISH_CHOICE
from waybill.api.pages.texts.english_fields import ENGLISH_FIELDS
from waybill.api.pages.texts.english_passwords import ENGLISH_PASSWORDS
from waybill.api.pages.texts.english_saved import ENGLISH_SAVED

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts of one language. Browsers format numbers and dates by `tag`, a BCP 47 tag."""

    code: Language
    tag: str
    #: Its name in the language itself, for the language switch.
    name: str
    page: Texts
    admin: Texts


_ENGLISH = {
    **ENGLISH,
    **ENGLISH_APPROVALS,
    **ENGLISH_CHOICE,
    **ENGLISH_FIELDS,
    **ENGLISH_PASSWORDS,
    **ENGLISH_SAVED,
}
_CHINESE = {
    **CHINESE,
    **CHINESE_APPROVALS,
    **CHINESE_CHOICE,
    **CHINESE_FIELDS,
    **CHINESE_PASSWORDS,
    **CHINESE_SAVED,
}

CATALOGUES: Mapping[Language, Catalogue] = {
    "en": Catalogue("en", "en", "English", _ENGLISH, ENGLISH_ADMIN),
    "zh": Catalogue("zh", "zh-CN", "中文", _CHINESE, CHINESE_ADMIN),
}
