"""The settings page of the docs, generated: ``python -m waybill.infra.config.table``."""

from __future__ import annotations

import sys
from datetime import timedelta

from waybill.infra.config.settings import PREFIX, Settings


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
    # Those of the class itself first: the ones everybody needs.
    for name, item in sorted(
        Settings.model_fields.items(), key=lambda field: field[0] not in Settings.__annotations__
    ):
        lines.append(f"| `{PREFIX}{name.upper()}` | {_shown(item.default)} | {item.description} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, timedelta):
        return f"`{default.total_seconds():g}`"
    return f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write(settings_table())
