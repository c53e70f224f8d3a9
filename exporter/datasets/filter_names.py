"""The filters of an export in a few characters: what tells its default file name from others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, time
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from waybill.exporter.datasets.param_defaults import is_default

#: Characters of one value and of all together: a name is read at a glance.
_MOST_OF_ONE = 24
_MOST = 80
#: More values of a list are counted, not listed.
_MOST_LISTED = 2

_NOT_IN_NAMES = re.compile(r"[^\w.+]+")


def filter_names(params: BaseModel) -> str:
    """The values that differ from their defaults, such as ``Berlin-paid``; empty without any.

    Left out are secrets, nested values, and fields with ``json_schema_extra={"in_filename":
    False}``: file names are seen by others, in mails and in the logs of an object store.
    """
    parts: list[str] = []
    values = params.model_dump(mode="json")
    for name, field in type(params).model_fields.items():
        raw = getattr(params, name)
        if raw is None or _is_left_out(field, raw) or is_default(field, raw):
            continue
        part = _part(name, raw, values[name])
        if part and len("-".join([*parts, part])) <= _MOST:
            parts.append(part)
    return "-".join(parts)


def _is_left_out(field: FieldInfo, raw: Any) -> bool:
    extra = field.json_schema_extra
    hidden = isinstance(extra, dict) and extra.get("in_filename") is False
    return hidden or isinstance(raw, SecretStr | SecretBytes | BaseModel | dict)


def _part(name: str, raw: Any, value: Any) -> str:
    title = name.replace("_", "-")
    if isinstance(raw, bool):
        return title if raw else f"not-{title}"
    if isinstance(value, list):
        return _list_part(title, value)
    text = _plain(value)
    # A bare date or number could be anything.
    is_bare = isinstance(raw, date | time | int | float) and not isinstance(value, str)
    return f"{title}-{text}" if text and (is_bare or isinstance(raw, date | time)) else text


def _list_part(title: str, values: Sequence[Any]) -> str:
    if any(isinstance(value, list | dict) for value in values):
        return ""
    texts = [_plain(value) for value in values]
    together = "+".join(texts)
    if len(texts) > _MOST_LISTED or len(together) > _MOST_OF_ONE:
        return f"{len(texts)}-{title}"
    return together


def _plain(value: Any) -> str:
    return _NOT_IN_NAMES.sub("-", str(value)).strip("-._")[:_MOST_OF_ONE].rstrip("-._")
