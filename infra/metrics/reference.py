"""Generates ``docs/metrics.md``: ``python -m waybill.infra.metrics.reference``."""

from __future__ import annotations

import sys

from waybill.infra.metrics.catalogue import CATALOGUE, Metric, Origin

_INTRODUCTION = """\
# Metrics

Made by `make docs` from the code; do not edit. [operations.md](operations.md#metrics) says where
they are read and who may, [alerts.md](alerts.md) what to alert on.
"""

_SECTIONS = (
    (
        Origin.PROCESS,
        "Of each process",
        "Every API process and every worker shows its own; sum them. Processes of one "
        "`waybill serve --workers N` share theirs. They begin at 0 when the process starts. A "
        "label appears with its first value.",
    ),
    (
        Origin.DATABASE,
        "Of the task database",
        "Counted at most once in ten seconds by each API process, and the same in all: take `max`, "
        "not `sum`. Workers do not show them.",
    ),
)


def metrics_page() -> str:
    """Every metric, by who has its value. ``docs/metrics.md`` holds this, and a test says so."""
    lines = [_INTRODUCTION]
    for origin, title, text in _SECTIONS:
        lines += [f"## {title}", "", text, "", "| name | kind | labels | meaning |"]
        lines.append("|---|---|---|---|")
        lines += [_line(metric) for metric in CATALOGUE if metric.origin is origin]
        lines.append("")
    return "\n".join(lines)


def _line(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"


if __name__ == "__main__":
    sys.stdout.write(metrics_page())
