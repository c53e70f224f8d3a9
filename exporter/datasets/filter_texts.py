"""The filters of an export as people read them: labels and values in the reader's language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.param_defaults import is_default
from waybill.exporter.datasets.principal import Principal

#: More values of a list are counted, not listed.
_MOST_LISTED = 5
_MOST_CHARS = 80
_MORE: Mapping[str, str] = {"en": "{values} and {count} more", "zh": "{values} 等，另有 {count} 项"}
_BOOLEANS: Mapping[str, Mapping[bool, str]] = {
    "en": {True: "yes", False: "no"},
    "zh": {True: "是", False: "否"},
}


def filter_texts(
    dataset: Dataset, params: BaseModel, user: Principal, language: str
) -> list[tuple[str, str]]:
    """Label and value of each parameter that differs from its default, in their order.

    Left out are secrets, nested values, parameters that do not exist for `user`, and fields with
    ``json_schema_extra={"in_filename": False}``: mails are forwarded.
    """
    schema = dataset.params_schema(user, language).get("properties", {})
    values = params.model_dump(mode="json")
    return [
        (str(schema[name].get("title") or name), text)
        for name, field in type(params).model_fields.items()
        if name in schema
        and not _is_left_out(field, getattr(params, name))
        and (text := _text(values[name], schema[name].get("valueLabels", {}), language))
    ]


def every_filter(
    dataset: Dataset, params: BaseModel, user: Principal, language: str
) -> list[tuple[str, str]]:
    """Label and whole value of each parameter that is not null, defaults too, in their order.

    For the file itself, which says what its rows were chosen by. Left out are parameters that do
    not exist for `user`; secrets are covered.
    """
    schema = dataset.params_schema(user, language).get("properties", {})
    values = params.model_dump(mode="json")
    return [
        (
            str(item.get("title") or name),
            _whole(values[name], item.get("valueLabels", {}), language),
        )
        for name, item in schema.items()
        if values.get(name) is not None
    ]


def _whole(value: Any, labels: Mapping[str, str], language: str) -> str:
    if isinstance(value, list):
        return ", ".join(_whole(one, labels, language) for one in value)
    if isinstance(value, bool):
        return _BOOLEANS.get(language, _BOOLEANS["en"])[value]
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return labels.get(str(value), str(value))


def _is_left_out(field: FieldInfo, raw: Any) -> bool:
    extra = field.json_schema_extra
    hidden = isinstance(extra, dict) and extra.get("in_filename") is False
    secret = isinstance(raw, SecretStr | SecretBytes | BaseModel | dict)
    return hidden or secret or raw is None or is_default(field, raw)


def _text(value: Any, labels: Mapping[str, str], language: str) -> str:
    if isinstance(value, list):
        shown = ", ".join(_text(one, labels, language) for one in value[:_MOST_LISTED])
        left = len(value) - _MOST_LISTED
        return (
            _MORE.get(language, _MORE["en"]).format(values=shown, count=left) if left > 0 else shown
        )
    if isinstance(value, bool):
        return _BOOLEANS.get(language, _BOOLEANS["en"])[value]
    text = labels.get(str(value), str(value))
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 1] + "…"
