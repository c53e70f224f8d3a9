"""Texts of a dataset, in one language or in several: ``{"en": "City", "zh": "城市"}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: One text for every language, or one for each, by its code.
Text = str | Mapping[str, str]

#: The language of a text that has no other.
DEFAULT_LANGUAGE = "en"


def text_in(text: Text | None, language: str) -> str:
    """`text` in `language`; else in English, else in the first language it has."""
    if text is None or isinstance(text, str):
        return text or ""
    return text.get(language) or text.get(DEFAULT_LANGUAGE) or next(iter(text.values()), "")


def localised_schema(schema: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A parameter model's JSON Schema with the texts of `language` in place.

    A field brings them as ``json_schema_extra={"translations": {"zh": {"title": …, "description":
    …, "values": {"paid": …}}}}``. The names of its values become ``valueLabels``.
    """
    properties = {
        name: _localised(item, language) for name, item in schema.get("properties", {}).items()
    }
    return {**schema, **({"properties": properties} if "properties" in schema else {})}


def _localised(item: Mapping[str, Any], language: str) -> dict[str, Any]:
    found = {name: value for name, value in item.items() if name != "translations"}
    translations = item.get("translations") or {}
    texts = translations.get(language) or translations.get(DEFAULT_LANGUAGE) or {}
    for name in ("title", "description"):
        if texts.get(name):
            found[name] = texts[name]
    if texts.get("values"):
        found["valueLabels"] = dict(texts["values"])
    return found
