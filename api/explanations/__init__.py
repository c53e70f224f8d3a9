"""Failures in plain words: for each stable code a cause, a remedy, and whether to try again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waybill.api.explanations.chinese import CHINESE
from waybill.api.explanations.codes import RETRY_HELPS
from waybill.api.explanations.english import ENGLISH
from waybill.api.languages import Language

#: Cause and remedy of every code, by language.
WORDS: Mapping[Language, Mapping[str, tuple[str, str]]] = {"en": ENGLISH, "zh": CHINESE}

#: For a code that another version wrote.
_UNKNOWN = "internal_error"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person is told about one code."""

    cause: str
    remedy: str
    retry_helps: bool


def explain(code: str, language: Language = "en") -> Explanation:
    """The explanation of `code`; that of an unforeseen error for a code nobody knows."""
    known = code if code in RETRY_HELPS else _UNKNOWN
    cause, remedy = WORDS[language][known]
    return Explanation(cause, remedy, RETRY_HELPS[known])
