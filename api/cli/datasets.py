"""`waybill datasets`: what can be exported, with parameters and columns."""

from __future__ import annotations

from typing import Any

from waybill.api.cli.console import JsonFlag, emit
from waybill.api.cli.terminal_text import one_line
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.texts import DEFAULT_LANGUAGE
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.exports.dataset_columns import columns_seen
from waybill.infra.exports.plan import formats_of


def datasets(as_json: JsonFlag = False) -> None:
    """List the datasets that can be exported, with their parameters and columns."""
    with Stack(load()) as stack:
        found = [_described(item) for item in stack.registry]
    emit(found, "\n\n".join(_text(item) for item in found), as_json=as_json)


def _described(item: Dataset) -> dict[str, Any]:
    # As somebody who has every role that the dataset or one of its columns asks for.
    declared = [column for each in (item, *item.sheets) for column in each.columns.values()]
    roles = frozenset(item.named_roles).union(*(column.roles for column in declared))
    reader = Principal("command line", "", roles)
    schema = item.params_schema(reader, DEFAULT_LANGUAGE)
    required = set(schema.get("required", ()))
    return {
        "name": item.name,
        "title": item.title_in(DEFAULT_LANGUAGE),
        "queue": item.queue,
        "roles": sorted(item.roles),
        "reads": item.reads,
        "reason": item.reason,
        "approval": item.approval is not None,
        "watermark": "; ".join(
            dict.fromkeys(one.watermark for one in (item, *item.sheets) if one.watermark)
        ),
        "password": item.password,
        "formats": formats_of(item),
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
        "columns": _columns(item, reader),
        "sheets": [
            {
                "name": sheet.name,
                "roles": sorted(sheet.roles),
                "columns": _columns(sheet, reader),
            }
            for sheet in item.sheets
        ],
    }


def _columns(item: Dataset, reader: Principal) -> list[str]:
    return [column.name for column in columns_seen(item, reader, DEFAULT_LANGUAGE)]


def _type_of(field: dict[str, Any]) -> str:
    kinds = [
        str(kind.get("type") or kind.get("$ref", "").rpartition("/")[2])
        for kind in field.get("anyOf", [field])
    ]
    return " or ".join(kind for kind in kinds if kind and kind != "null") or "any"


def _text(item: dict[str, Any]) -> str:
    lines = [f"{one_line(item['name'])}: {one_line(item['title'])}"]
    lines.append(f"  roles: {', '.join(map(one_line, item['roles'])) or 'everybody'}")
    if item["reason"]:
        lines.append("  asks for a reason")
    if item["approval"]:
        lines.append("  each export has to be approved")
    if item["password"]:
        lines.append("  each file has a password")
    for param in item["params"]:
        rule = "required" if param["required"] else f"default {param['default']!r}"
        described = f": {param['description']}" if param["description"] else ""
        lines.append(one_line(f"  --param {param['name']}=… ({param['type']}, {rule}){described}"))
    for sheet in item["sheets"]:
        asked = f" (roles: {', '.join(sheet['roles'])})" if sheet["roles"] else ""
        lines.append(one_line(f"  sheet {sheet['name']}{asked}: {', '.join(sheet['columns'])}"))
    if item["sheets"]:
        return "\n".join(lines)
    known = ", ".join(item["columns"]) or "not known without its parameters"
    lines.append(f"  columns: {one_line(known)}")
    return "\n".join(lines)
