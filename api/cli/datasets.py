"""`waybill datasets`: what can be exported, with parameters and columns."""

from __future__ import annotations

from typing import Any

from waybill.api.cli.console import JsonFlag, emit
from waybill.api.cli.terminal_text import one_line
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.texts import localised_schema
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load


def datasets(as_json: JsonFlag = False) -> None:
    """List the datasets that can be exported, with their parameters and columns."""
    with Stack(load()) as stack:
        found = [_described(item) for item in stack.registry]
    emit(found, "\n\n".join(_text(item) for item in found), as_json=as_json)


def _described(item: Dataset) -> dict[str, Any]:
    schema = localised_schema(item.params.model_json_schema(), "en")
    required = set(schema.get("required", ()))
    return {
        "name": item.name,
        "title": item.title_in("en"),
        "queue": item.queue,
        "roles": sorted(item.roles),
        "reads": item.reads,
        "formats": list(FORMATS),
        "params": [
            {
                "name": name,
                "type": _type_of(field),
                "required": name in required,
                "default": field.get("default"),
                "description": field.get("description") or field.get("title") or "",
            }
            for name, field in schema.get("properties", {}).items()
        ],
        "params_schema": schema,
        "columns": _columns_of(item),
    }


def _columns_of(item: Dataset) -> list[str] | None:
    """The columns of its query; None where it needs a parameter, or the rows decide."""
    try:
        query = item.query(item.parse({}), Principal("command line", "", frozenset(item.roles)))
        return [column.name for column in query.selected_columns]  # type: ignore[union-attr]
    except Exception:
        # The function of a dataset may ask for anything of its parameters and its caller.
        return None


def _type_of(field: dict[str, Any]) -> str:
    kinds = [
        str(kind.get("type") or kind.get("$ref", "").rpartition("/")[2])
        for kind in field.get("anyOf", [field])
    ]
    return " or ".join(kind for kind in kinds if kind and kind != "null") or "any"


def _text(item: dict[str, Any]) -> str:
    lines = [f"{one_line(item['name'])}: {one_line(item['title'])}"]
    lines.append(f"  roles: {', '.join(map(one_line, item['roles'])) or 'everybody'}")
    for param in item["params"]:
        rule = "required" if param["required"] else f"default {param['default']!r}"
        described = f": {param['description']}" if param["description"] else ""
        lines.append(one_line(f"  --param {param['name']}=… ({param['type']}, {rule}){described}"))
    columns = item["columns"]
    known = "not known without its parameters" if columns is None else ", ".join(columns)
    lines.append(f"  columns: {one_line(known)}")
    return "\n".join(lines)
