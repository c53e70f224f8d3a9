"""Error explanations: for each stable code the cause, the remedy, and whether a retry helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waybill.api.explanations.chinese import CHINESE
from waybill.api.explanations.codes import RETRY_HELPS
from waybill.api.explanations.english import ENGLISH
from waybill.api.languages import Language

#: Cause and remedy of every code, by language.
TEXTS: Mapping[Language, Mapping[str, tuple[str, str]]] = {"en": ENGLISH, "zh": CHINESE}

#: For codes that another version of Waybill wrote.
_UNKNOWN = "internal_error"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one code for people."""

    cause: str
    remedy: str
    retry_helps: bool


def explain(code: str, language: Language = "en") -> Explanation:
    """The explanation of `code`; for an unknown code, that of an internal error."""
    known = code if code in RETRY_HELPS else _UNKNOWN
    cause, remedy = TEXTS[language][known]
    return Explanation(cause, remedy, RETRY_HELPS[known])
