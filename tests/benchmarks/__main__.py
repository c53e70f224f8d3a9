"""``make bench``: every figure as a ratio against a peer, measured in one run on the same rows.

Each case is a process of its own. A missed target is said and is no failure: speed belongs
to a machine and its other users. With ``BASELINE=PATH``, the source tree of an older version, small
exports are compared with those of that version; without it, their number a second is printed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks import large_cells, report, small_exports
from tests.benchmarks.figures import QUICK, WIDTHS, Scale, all_figures
from tests.benchmarks.installation import private_broker
from tests.benchmarks.process import run_side
from tests.benchmarks.runs import Runs
from tests.benchmarks.servers import Servers, private_mariadb, private_servers
from tests.benchmarks.tables import fill_mysql, fill_sqlite, fill_table

Run = Callable[..., None]


def main() -> None:
    """Measure, show, write."""
    console = Console(width=None if os.environ.get("COLUMNS") else 150)
    scale = QUICK if os.environ.get("QUICK") else Scale()
    machine = report.describe_machine() | {"load_before": report.load_average()}
    runs = Runs()
    with private_servers() as servers, console.status("") as status:

        def run(case: str, **options: Any) -> None:
            name, _, _ = case.partition("@")
            status.update(case)
            figures = run_side(*name.split("."), **options)
            runs.add(case, figures)
            shown = {key: round(value, 3) for key, value in figures.items()}
            console.print(f"[dim]{case}: {shown}[/]", highlight=False)

        _encode(run, scale)
        _read_files(run, servers, scale)
        _read(run, servers, scale)
        _read_mariadb(run, servers, scale)
        _memory(run, servers)
        _serve(run, servers, scale)
    _small_exports(runs, console, scale)
    machine["load_after"] = report.load_average()
    figures = all_figures(runs, scale)
    report.show(console, figures, machine)
    report.show_stages(console, runs)
    report.show_markdown(console, figures)
    report.write(Path("bench.json"), figures, runs, scale, machine)


def _encode(run: Run, scale: Scale) -> None:
    for _ in range(scale.rounds):
        run("xlsx_encode.ours", rows=scale.rows)
        run("xlsx_encode.peer", rows=scale.rows)
        run("native_encode.jetxl", rows=scale.rows)
    for writer in ("rustpy", "xlsxturbo"):
        run(f"native_encode.{writer}", rows=scale.rows)
    for _ in range(scale.few_rounds):
        for columns in WIDTHS:
            run(f"wide_encode.ours@{columns}", columns=columns, cells=scale.wide_cells)


def _read_files(run: Run, servers: Servers, scale: Scale) -> None:
    path = servers.folder / "rows.db"
    table = fill_sqlite(path, scale.source_rows)
    for _ in range(scale.many_rounds):
        for side in ("ours", "peer"):
            run(f"sqlite_rows.{side}", path=str(path), table=table)
    for _ in range(scale.few_rounds):
        for side in ("ours", "peer"):
            run(f"command_line.{side}", path=str(path), table=table)


def _read_mariadb(run: Run, servers: Servers, scale: Scale) -> None:
    with private_mariadb() as mariadb, mariadb.database() as url:
        table = fill_mysql(url, scale.source_rows)
        for _ in range(scale.few_rounds):
            for side in ("ours", "peer"):
                run(f"signed_link.{side}@mariadb", database=url, s3=servers.s3, table=table)


def _memory(run: Run, servers: Servers) -> None:
    with servers.postgres.database() as url:
        large_cells.fill(url)
        for case in ("wide", "large", "large_row"):
            run(f"large_cells.{case}", database=url)


def _read(run: Run, servers: Servers, scale: Scale) -> None:
    url, s3 = servers.postgres.url(), servers.s3
    base, large = scale.growth
    tables = {rows: fill_table(url, rows) for rows in {scale.rows, base, large}}
    for _ in range(scale.many_rounds):
        for side in ("ours", "peer"):
            run(f"csv_gzip.{side}", database=url, table=tables[scale.rows])
            run(f"parquet_copy.{side}", database=url, table=tables[scale.rows])
    for _ in range(scale.rounds):
        for side in ("ours", "peer"):
            case = f"signed_link.{side}@{scale.rows}"
            run(case, database=url, s3=s3, table=tables[scale.rows])
    for _ in range(scale.few_rounds):
        for rows in {base, large} - {scale.rows}:
            run(f"signed_link.ours@{rows}", database=url, s3=s3, table=tables[rows])
    for _ in range(scale.rounds):
        run("stages.ours", database=url, s3=s3, table=tables[scale.rows])


def _serve(run: Run, servers: Servers, scale: Scale) -> None:
    for _ in range(scale.rounds):
        for side in ("ours", "peer"):
            with servers.postgres.database() as url:
                run(f"api_submit.{side}", database=url, requests=scale.requests)
    with servers.postgres.database() as url:
        run("task_list.ours", database=url, tasks=scale.tasks)


def _small_exports(runs: Runs, console: Console, scale: Scale) -> None:
    """By workers of both trees, in turn; last, as they need settings of PostgreSQL of their own."""
    trees = {"ours": small_exports.ROOT}
    if baseline := os.environ.get("BASELINE"):
        trees["peer"] = Path(baseline).resolve()
    with (
        private_servers(shared_preload_libraries="pg_stat_statements") as servers,
        private_broker() as broker,
    ):
        for _ in range(scale.few_rounds):
            for side, tree in trees.items():
                figures = small_exports.measure(
                    tree,
                    servers,
                    broker,
                    tasks=scale.small_tasks,
                    ended=5 * scale.small_tasks,
                    seconds=scale.small_seconds,
                )
                del figures["top"]
                runs.add(f"small_exports.{side}", figures)
                console.print(f"[dim]small_exports.{side}: {figures}[/]", highlight=False)


if __name__ == "__main__":
    main()
