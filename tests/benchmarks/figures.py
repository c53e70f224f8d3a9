"""What is measured: each figure, how it comes from the runs, and what it should reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.benchmarks.runs import Runs

#: Columns of the wide tables; the first is what the others are compared with.
WIDTHS = (10, 200, 800, 1_500)


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    rows: int = 500_000
    #: For how time and memory grow: ten times as many rows as the first.
    growth: tuple[int, int] = (1_000_000, 10_000_000)
    #: In SQLite and MariaDB.
    source_rows: int = 300_000
    #: Of each wide table.
    wide_cells: int = 6_000_000
    tasks: int = 1_000_000
    requests: int = 2_000
    #: Small exports that wait; five times as many have ended. How long their end is watched.
    small_tasks: int = 20_000
    small_seconds: float = 15
    #: Of each case; ours and the peer take turns.
    rounds: int = 3
    #: Of the largest table, and of cases that take under two seconds.
    few_rounds: int = 2
    many_rounds: int = 5


QUICK = Scale(
    rows=100_000,
    growth=(100_000, 1_000_000),
    source_rows=60_000,
    wide_cells=1_000_000,
    tasks=50_000,
    requests=500,
    small_tasks=2_000,
    small_seconds=5,
    rounds=1,
    few_rounds=1,
    many_rounds=2,
)


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    ours: str
    peer: str
    value: float
    unit: str
    bound: Literal["at least", "at most"]
    #: None where there was no peer to compare with.
    target: float | None

    @property
    def reached(self) -> bool | None:
        """Whether the value is on the right side of the target; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.bound == "at least" else self.value <= self.target


def all_figures(runs: Runs, scale: Scale) -> list[Figure]:
    """Every figure, from medians."""
    return [
        *_exports(runs, scale),
        *_sources(runs, scale),
        *_growth(runs, scale),
        *_wide(runs),
        *_memory(runs),
        *_formats(runs),
        *_api(runs),
        *_small_exports(runs, scale),
    ]


def _exports(runs: Runs, scale: Scale) -> list[Figure]:
    encode, write = runs.median("xlsx_encode.ours"), runs.median("xlsx_encode.peer")
    link = runs.median(f"signed_link.ours@{scale.rows}")
    straight = runs.median(f"signed_link.peer@{scale.rows}")
    cells = scale.rows * 10 / 1e6
    size = f"{scale.rows:,} × 10"
    first = runs.median(f"signed_link.ours@{scale.rows}", "first_part_seconds")
    return [
        Figure(
            f"rows in memory → XLSX, {size}",
            f"{encode:.2f} s, {cells / encode:.1f} M cells/s",
            f"XlsxWriter constant_memory {write:.1f} s, {cells / write:.2f} M cells/s",
            write / encode,
            "×",
            "at least",
            50,
        ),
        _native(runs, encode, "jetxl", "jetxl", 1.8),
        _native(runs, encode, "rustpy", "rustpy-xlsxwriter", 1),
        _native(runs, encode, "xlsxturbo", "xlsxturbo", 1),
        Figure(
            f"table → signed link, {size}",
            f"{link:.2f} s",
            f"yield_per, XlsxWriter, upload_file {straight:.1f} s",
            straight / link,
            "×",
            "at least",
            22,
        ),
        Figure(
            "first row read → first part stored", f"{first:.2f} s", "", first, "s", "at most", 1
        ),
    ]


def _native(runs: Runs, ours: float, side: str, name: str, target: float) -> Figure:
    theirs = runs.median(f"native_encode.{side}")
    return Figure(
        f"the same by {name}",
        f"{ours:.2f} s, {runs.megabytes('xlsx_encode.ours')}",
        f"{theirs:.2f} s, {runs.megabytes(f'native_encode.{side}')},"
        f" {runs.worst(f'native_encode.{side}', 'peak_mib'):.0f} MiB",
        theirs / ours,
        "×",
        "at least",
        target,
    )


def _sources(runs: Runs, scale: Scale) -> list[Figure]:
    size = f"{scale.source_rows:,} × 10"
    read, bare = runs.median("sqlite_rows.ours"), runs.median("sqlite_rows.peer")
    command, script = runs.median("command_line.ours"), runs.median("command_line.peer")
    link, straight = (runs.median(f"signed_link.{side}@mariadb") for side in ("ours", "peer"))
    return [
        Figure(
            f"SQLite → Arrow, {size}",
            f"{read:.2f} s",
            f"fetchmany, pa.array {bare:.2f} s",
            read / bare,
            "×",
            "at most",
            1.4,
        ),
        Figure(
            f"SQLite → XLSX by the command line, {size}",
            f"{command:.2f} s",
            f"a script, XlsxWriter {script:.1f} s",
            script / command,
            "×",
            "at least",
            12,
        ),
        Figure(
            f"MariaDB → signed link, {size}",
            f"{link:.2f} s",
            f"yield_per, XlsxWriter, upload_file {straight:.1f} s",
            straight / link,
            "×",
            "at least",
            15,
        ),
    ]


def _wide(runs: Runs) -> list[Figure]:
    narrow, *others = (
        runs.median(f"wide_encode.ours@{columns}", "million_cells_per_second") for columns in WIDTHS
    )
    return [
        Figure(
            f"XLSX of {columns:,} columns / of {WIDTHS[0]}",
            f"{speed:.1f} M cells/s",
            f"{narrow:.1f} M cells/s",
            speed / narrow,
            "×",
            "at least",
            target,
        )
        for columns, speed, target in zip(WIDTHS[1:], others, (0.85, 0.7, 0.6), strict=True)
    ]


def _memory(runs: Runs) -> list[Figure]:
    cases = (
        ("600 columns", "wide", 260),
        ("two texts of 100 MB", "large", 320),
        ("one row of 200 MB", "large_row", 800),
    )
    return [
        Figure(
            f"peak memory, {name} → csv.gz",
            f"{(peak := runs.worst(f'large_cells.{case}', 'peak_mib')):.0f} MiB",
            "",
            peak,
            "MiB",
            "at most",
            target,
        )
        for name, case, target in cases
    ]


def _growth(runs: Runs, scale: Scale) -> list[Figure]:
    base, large = scale.growth
    low = runs.worst(f"signed_link.ours@{scale.rows}", "peak_mib")
    high = runs.worst(f"signed_link.ours@{large}", "peak_mib")
    peer = runs.worst(f"signed_link.peer@{scale.rows}", "peak_mib")
    disk = max(runs.worst(f"signed_link.ours@{rows}", "disk_bytes") for rows in (scale.rows, large))
    peer_disk = runs.worst(f"signed_link.peer@{scale.rows}", "disk_bytes")
    slow, quick = runs.median(f"signed_link.ours@{large}"), runs.median(f"signed_link.ours@{base}")
    return [
        Figure(
            f"peak memory, {scale.rows:,} and {large:,} rows",
            f"{low:.0f} and {high:.0f} MiB",
            f"the same pipeline {peer:.0f} MiB",
            max(low, high),
            "MiB",
            "at most",
            260,
        ),
        Figure("its growth", "", "", 100 * (high / low - 1), "%", "at most", 10),
        Figure(
            "temporary bytes on disk",
            f"{disk:,.0f}",
            f"the same pipeline {peer_disk / 1e6:,.0f} MB",
            disk,
            "bytes",
            "at most",
            0,
        ),
        Figure(
            f"time for {large:,} rows / {base:,}",
            f"{slow:.1f} s / {quick:.2f} s",
            "",
            slow / quick,
            "×",
            "at most",
            10.5,
        ),
    ]


def _formats(runs: Runs) -> list[Figure]:
    csv, gzip = runs.median("csv_gzip.ours"), runs.median("csv_gzip.peer")
    parquet, duckdb = runs.median("parquet_copy.ours"), runs.median("parquet_copy.peer")
    return [
        Figure(
            "table → csv.gz",
            f"{csv:.2f} s, {runs.megabytes('csv_gzip.ours')}",
            f"psql COPY | gzip -1 {gzip:.2f} s, {runs.megabytes('csv_gzip.peer')}",
            gzip / csv,
            "×",
            "at least",
            1.25,
        ),
        Figure(
            "table → Parquet",
            f"{parquet:.2f} s, {runs.megabytes('parquet_copy.ours')}",
            f"ADBC, DuckDB COPY {duckdb:.2f} s, {runs.megabytes('parquet_copy.peer')}",
            duckdb / parquet,
            "×",
            "at least",
            1.1,
        ),
    ]


def _api(runs: Runs) -> list[Figure]:
    ours = runs.median("api_submit.ours", "requests_per_second")
    peer = runs.median("api_submit.peer", "requests_per_second")
    page, cursor, heavy = (
        runs.median("task_list.ours", name) for name in ("page_ms", "cursor_ms", "heavy_page_ms")
    )
    return [
        Figure(
            "exports accepted",
            f"{ours:.0f}/s",
            f"FastAPI, one INSERT {peer:.0f}/s",
            ours / peer,
            "×",
            "at least",
            0.7,
        ),
        Figure(
            "a page of the task list",
            f"{page:.1f} ms (owner of a tenth: {heavy:.0f} ms, by cursor {cursor:.1f} ms)",
            "",
            page,
            "ms",
            "at most",
            10,
        ),
    ]


def _small_exports(runs: Runs, scale: Scale) -> list[Figure]:
    name = f"small exports, {scale.small_tasks:,} waiting, two workers"
    ours = runs.median("small_exports.ours", "exports_per_second")
    click = runs.median("small_exports.ours", "click_p95_ms")
    text = f"{ours:.1f}/s; click → link p95 {click:.0f} ms"
    if "small_exports.peer" not in runs.by_case:
        return [Figure(name, text, "", ours, "/s", "at least", None)]
    peer = runs.median("small_exports.peer", "exports_per_second")
    return [Figure(name, text, f"the baseline {peer:.1f}/s", ours / peer, "×", "at least", 4)]
