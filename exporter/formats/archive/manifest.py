"""Manifest of an archive: a Frictionless data package, with counts of our own.

``resources`` follow https://datapackage.org, so its tools can check lengths, hashes and
types. ``rowCount``, ``timezone``, ``snapshot``, ``about``, ``watermark``, ``warnings`` and the
``rows`` of each resource are ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.archive.part_archive import ArchivePart
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.values.cell_columns import ValueKind, cell_columns, value_type
from waybill.exporter.warning_rules import listed


def manifest_json(
    parts: Sequence[ArchivePart],
    resource: Mapping[str, Any],
    schema: pa.Schema,
    layout: Layout,
    tally: Tally,
    *,
    decimal_sign: str = ".",
    **more: Any,
) -> bytes:
    """The manifest of `parts`; `resource` holds what they have in common, `more` extra keys.

    It depends on its arguments only, so the same rows give the same manifest.
    """
    fields = _table_schema(schema, layout, decimal_sign)
    package = {
        "name": "export",
        "title": layout.title,
        **more,
        "rowCount": sum(part.rows for part in parts),
        "timezone": layout.timezone.key,
        "snapshot": _snapshot(layout),
        "about": dict(layout.about),
        **({"watermark": layout.watermark_text} if layout.watermark else {}),
        "warnings": listed(tally.warnings),
        "resources": [
            {
                "name": f"part-{number:05d}",
                "path": part.path,
                **resource,
                "bytes": part.size_bytes,
                "hash": f"sha256:{part.sha256}",
                "rows": part.rows,
                "schema": fields,
            }
            for number, part in enumerate(parts, 1)
        ],
    }
    return json.dumps(package, ensure_ascii=False, indent=2).encode()


def columns_as_text(schema: pa.Schema, layout: Layout) -> list[dict[str, Any]]:
    """The columns of a file whose headings are the labels, in the terms of Table Schema."""
    return [
        {"name": column.label, **_field_type(field.type, column.kind)}
        for field, column in zip(schema, cell_columns(schema, layout), strict=True)
    ]


def _snapshot(layout: Layout) -> str | None:
    return layout.snapshot_at.isoformat(timespec="seconds") if layout.snapshot_at else None


def _table_schema(schema: pa.Schema, layout: Layout, decimal_sign: str) -> dict[str, Any]:
    """The columns in the terms of Frictionless' Table Schema."""
    fields = columns_as_text(schema, layout)
    if decimal_sign != ".":
        for item in fields:
            if item["type"] == "number":
                item["decimalChar"] = decimal_sign
    return {"fields": fields, "missingValues": [""]}


def _field_type(kind: pa.DataType, cell_kind: ValueKind) -> dict[str, str]:
    if cell_kind is ValueKind.DECIMAL_TEXT:
        return {"type": "number"}
    stored = value_type(kind)
    return next((words for applies, words in _WORDS if applies(stored)), {"type": "string"})


#: "any" is Frictionless for: more than one spelling, here with or without a fraction.
_WORDS: tuple[tuple[Callable[[pa.DataType], bool], dict[str, str]], ...] = (
    (pa.types.is_integer, {"type": "integer"}),
    (pa.types.is_floating, {"type": "number"}),
    (pa.types.is_decimal, {"type": "number"}),
    (pa.types.is_boolean, {"type": "boolean"}),
    (pa.types.is_date, {"type": "date"}),
    (pa.types.is_time, {"type": "time", "format": "any"}),
    (pa.types.is_timestamp, {"type": "datetime", "format": "any"}),
    (pa.types.is_duration, {"type": "duration"}),
    (pa.types.is_interval, {"type": "duration"}),
    (pa.types.is_struct, {"type": "object"}),
    (pa.types.is_map, {"type": "object"}),
    (pa.types.is_nested, {"type": "array"}),
    (pa.types.is_binary, {"type": "string", "format": "binary"}),
    (pa.types.is_large_binary, {"type": "string", "format": "binary"}),
    (pa.types.is_fixed_size_binary, {"type": "string", "format": "binary"}),
    (lambda kind: isinstance(kind, pa.UuidType), {"type": "string", "format": "uuid"}),
)
