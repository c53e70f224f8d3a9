"""Form fields generated from the JSON Schema of a dataset's parameters.

Parameters without a suitable field (nested objects, unions of different types) get a JSON field.
The server validates every request anyway, so a form need not be exact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

#: The field kind for strings of a JSON Schema format.
_TEXT_KINDS = {"date": "date", "date-time": "datetime", "time": "time"}
_SCALARS = frozenset({"string", "integer", "number"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One allowed value of a field. `value` is JSON, so numbers stay numbers."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Field:
    """The field of one parameter.

    `kind` is text, integer, number, boolean, date, datetime, time, choice (one of
    `choices`), choices (any number of them), list (of scalars) or json.
    """

    name: str
    kind: str
    label: str
    help: str
    required: bool
    nullable: bool
    default: str
    checked: bool = False
    choices: Sequence[Choice] = ()
    low: Any = None
    high: Any = None
    max_length: int | None = None
    #: Of a list: string, integer or number.
    item: str = ""
    #: A text of which the page can list the values that are in the data.
    has_choices: bool = False


#: Words in the names of two fields that together are a range of days.
_ENDS: Mapping[str, Set[str]] = {
    "after": {"before"},
    "begin": {"end"},
    "first": {"last"},
    "from": {"to", "until"},
    "min": {"max"},
    "since": {"to", "until"},
    "start": {"end"},
}


def field_rows(fields: Sequence[Field]) -> list[tuple[Field, ...]]:
    """The rows of a form: a field, or the two of a range such as `paid_from` and `paid_to`."""
    rows: list[tuple[Field, ...]] = []
    for field in fields:
        if rows and len(rows[-1]) == 1 and _is_range(rows[-1][0], field):
            rows[-1] = (rows[-1][0], field)
        else:
            rows.append((field,))
    return rows


def _is_range(first: Field, last: Field) -> bool:
    if first.kind != last.kind or first.kind not in ("date", "datetime"):
        return False
    words, others = first.name.split("_"), last.name.split("_")
    if len(words) != len(others):
        return False
    differing = [pair for pair in zip(words, others, strict=True) if pair[0] != pair[1]]
    return len(differing) == 1 and differing[0][1] in _ENDS.get(differing[0][0], ())


def form_fields(schema: Schema, choices: Set[str] = frozenset()) -> list[Field]:
    """One field for each property of `schema`, in its order.

    `choices` are the parameters of which the page can list the values that are in the data.
    """
    required = set(schema.get("required", ()))
    definitions = schema.get("$defs", {})
    return [
        _field(name, item, definitions, required=name in required, has_choices=name in choices)
        for name, item in schema.get("properties", {}).items()
    ]


def _field(
    name: str, item: Schema, definitions: Schema, *, required: bool, has_choices: bool
) -> Field:
    inner, nullable = _unwrap(item, definitions)
    kind, values = _kind_of(inner, definitions, nullable=nullable)
    default = item.get("default")
    return Field(
        name=name,
        kind=kind,
        label=item.get("title") or name.replace("_", " ").capitalize(),
        help=item.get("description", ""),
        required=required and not nullable,
        nullable=nullable,
        default=_default_text(kind, default),
        checked=default is True,
        choices=_choices(kind, values, default, item.get("valueLabels", {})),
        low=inner.get("minimum", inner.get("exclusiveMinimum")),
        high=inner.get("maximum", inner.get("exclusiveMaximum")),
        max_length=inner.get("maxLength"),
        item=_unwrap(inner.get("items", {}), definitions)[0].get("type", "")
        if kind == "list"
        else "",
        has_choices=has_choices and kind == "text",
    )


def _unwrap(item: Schema, definitions: Schema) -> tuple[Schema, bool]:
    """The type behind references and an optional null, and whether null is allowed."""
    item = _resolve(item, definitions)
    options = [_resolve(option, definitions) for option in item.get("anyOf", ())]
    non_null = [option for option in options if option.get("type") != "null"]
    nullable = len(non_null) < len(options)
    if len(non_null) == 1:
        return non_null[0], nullable
    if any(option.get("type") == "string" for option in non_null):
        return {"type": "string"}, nullable
    return item, nullable


def _resolve(item: Schema, definitions: Schema) -> Schema:
    while "$ref" in item:
        item = definitions.get(str(item["$ref"]).rpartition("/")[2], {})
    return item


def _kind_of(inner: Schema, definitions: Schema, *, nullable: bool) -> tuple[str, Sequence[Any]]:
    """The kind of field, and its allowed values."""
    if values := _values_of(inner):
        return "choice", values
    match inner.get("type"):
        case "boolean":
            return ("choice", (True, False)) if nullable else ("boolean", ())
        case "string":
            return _TEXT_KINDS.get(inner.get("format", ""), "text"), ()
        case "integer" | "number" as kind:
            return kind, ()
        case "array":
            item, item_nullable = _unwrap(inner.get("items", {}), definitions)
            if values := _values_of(item):
                return "choices", values
            if item.get("type") in _SCALARS and not item_nullable:
                return "list", ()
    return "json", ()


def _values_of(inner: Schema) -> Sequence[Any]:
    return [inner["const"]] if "const" in inner else inner.get("enum", ())


def _default_text(kind: str, default: Any) -> str:
    if default is None:
        return ""
    if kind == "list":
        return "\n".join(map(str, default))
    return json.dumps(default, ensure_ascii=False) if kind == "json" else str(default)


def _choices(
    kind: str, values: Sequence[Any], default: Any, labels: Mapping[str, str]
) -> Sequence[Choice]:
    selected = default if kind == "choices" and isinstance(default, list) else [default]
    return tuple(
        Choice(
            value=json.dumps(value),
            label=labels.get(text := value if isinstance(value, str) else json.dumps(value), text),
            chosen=value in selected,
        )
        for value in values
    )
