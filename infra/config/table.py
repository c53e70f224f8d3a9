"""Generates ``docs/settings.md``: ``python -m waybill.infra.config.table``."""

from __future__ import annotations

import sys
from datetime import timedelta

from waybill.infra.config.database_settings import DatabaseSettings
from waybill.infra.config.file_settings import FileSettings
from waybill.infra.config.run_settings import RunSettings
from waybill.infra.config.settings import Settings, environment_name
from waybill.infra.config.store_settings import StoreSettings

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


def settings_table() -> str:
    """Every setting as a Markdown table. ``docs/settings.md`` holds this, and a test says so."""
    lines = [
        "# Settings",
        "",
        "Read from the environment or `.env`. Made by `make docs`; do not edit.",
        "",
        "| name | default | meaning |",
        "|---|---|---|",
    ]
    for field, item in sorted(Settings.model_fields.items(), key=lambda entry: _group(entry[0])):
        name = environment_name(field)
        default = _shown(item.default, _DAY if name.endswith("_DAYS") else _SECOND)
        lines.append(f"| `{name}` | {default} | {item.description} |")
    return "\n".join(lines) + "\n"


def _group(field: str) -> int:
    """The place of a field's class in the table. What everybody needs comes first."""
    classes = (Settings, DatabaseSettings, StoreSettings, FileSettings, RunSettings)
    return next(
        (n for n, part in enumerate(classes) if field in part.__annotations__), len(classes)
    )


def _shown(default: object, unit: timedelta) -> str:
    if default in (None, ""):
        return ""
    if isinstance(default, timedelta):
        return f"`{default / unit:g}`"
    if isinstance(default, tuple):
        return f"`{','.join(f'{item / unit:g}' for item in default)}`"
    return f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write(settings_table())
