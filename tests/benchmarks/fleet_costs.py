"""What one row and one task cost, in processor seconds and bytes: the input of the simulation.

The costs of rows come from the stages that `make bench` measures. The machine of today is compared
with that of the bench by the one stage that needs no server, rendering, measured now.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks import stages
from tests.support.benchmark_rows import SCHEMA, make_batches
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.rows.seals import sealed

#: Rows of the bench's stages, and of the measurement here.
_BENCH_ROWS = 500_000
_ROWS = 131_072


@dataclass(frozen=True)
class Costs:
    """Ten columns to XLSX. Seconds are of one core, bytes are of one row.

    The defaults are those of the bench of 2026-11-29 (two cores of an AMD EPYC), and of
    `docs/performance.md` for what the bench does not have: PostgreSQL and the store themselves,
    and one small export.
    """

    read_row: float = 0.276 / _BENCH_ROWS
    render_row: float = 0.868 / _BENCH_ROWS
    send_row: float = (0.028 + 0.074) / _BENCH_ROWS
    #: Of PostgreSQL, which prints each row, and of the object store.
    source_row: float = 0.28 / _BENCH_ROWS
    store_row: float = 0.5 / _BENCH_ROWS
    file_bytes: float = 97.0
    #: On the wire from the database: the rows in memory, about.
    wire_bytes: float = 100.0
    #: Of a worker for a task, beside its rows, and of the task database from submission to link.
    task: float = 0.05
    task_database: float = 0.023
    #: Steps that follow one another and compute nothing: connecting, claiming, completing.
    task_latency: float = 0.2

    @property
    def worker_row(self) -> float:
        """All that a worker computes for a row."""
        return self.read_row + self.render_row + self.send_row

    def on_machine(self, ratio: float) -> Costs:
        """The same on a machine that takes `ratio` times as long."""
        times = ("read_row", "render_row", "send_row", "source_row", "store_row")
        slower = {name: getattr(self, name) * ratio for name in (*times, "task", "task_database")}
        return replace(self, **slower)


def from_bench(path: Path) -> Costs:
    """The costs that a `bench.json` has."""
    runs: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())["runs"]

    def median(case: str, figure: str) -> float:
        return statistics.median(run[figure] for run in runs[case])

    def row(stage: str) -> float:
        return median("stages.ours", stage) / _BENCH_ROWS

    return Costs(
        read_row=row(stages.READ),
        render_row=row(stages.RENDER),
        send_row=row(stages.DIGEST) + row(stages.UPLOAD),
        file_bytes=median("xlsx_encode.ours", "file_bytes") / _BENCH_ROWS,
    )


def measured_now(costs: Costs) -> Costs:
    """`costs` on this machine as busy as it is: rendering is measured, the rest keeps its ratio."""
    batches = make_batches(_ROWS)
    rounds = []
    for _ in range(3):
        begun = time.process_time()
        size = sum(map(len, encode_xlsx(SCHEMA, sealed(batches), Layout(), Tally())))
        rounds.append(time.process_time() - begun)
    render_row = statistics.median(rounds) / _ROWS
    wire = sum(batch.nbytes for batch in batches) / _ROWS
    now = costs.on_machine(render_row / costs.render_row)
    return replace(now, file_bytes=size / _ROWS, wire_bytes=wire)
