"""Generates ``docs/settings.md``: ``python -m waybill.infra.config.table``."""

from __future__ import annotations

import sys
from datetime import timedelta

from waybill.infra.config.settings import Settings, environment_name

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
    # The fields of the class itself come first: everybody needs those.
    for field, item in sorted(
        Settings.model_fields.items(), key=lambda field: field[0] not in Settings.__annotations__
    ):
        name = environment_name(field)
        default = _shown(item.default, _DAY if name.endswith("_DAYS") else _SECOND)
        lines.append(f"| `{name}` | {default} | {item.description} |")
    return "\n".join(lines) + "\n"


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
