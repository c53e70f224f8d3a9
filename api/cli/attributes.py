"""`--attribute name=value`: what is known of a user beside the roles."""

from __future__ import annotations

import json
from collections.abc import Iterable

from waybill.exporter.datasets.principal import Attributes, AttributeValue
from waybill.exporter.errors import InvalidRequest


def attributes_of(texts: Iterable[str]) -> Attributes:
    """The attributes in `texts`. A name that is given several times is a list.

    A whole number, a boolean or a list in JSON is one (``store=7``); a text in quotes is a text
    (``store="7"``), and so is everything else (``region=EU``).

    Raises:
        InvalidRequest.
    """
    found = Attributes()
    for text in texts:
        name, separator, written = text.partition("=")
        if not separator or not name:
            raise InvalidRequest("An --attribute has to look like name=value.")
        value = _value(written)
        if name in found:
            before = found[name]
            both = [before if isinstance(before, list) else [before]]
            both.append(value if isinstance(value, list) else [value])
            value = [item for part in both for item in part]
        found[name] = value
    return found


def _value(text: str) -> AttributeValue:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    items = value if isinstance(value, list) else [value]
    return value if all(isinstance(item, str | int) for item in items) else text
