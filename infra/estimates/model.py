"""Size and duration model: benchmarked defaults, corrected by past exports (Theil–Sen).

Each figure has a fixed part and a part per row. Without past exports, both are the defaults. With
them, both come from a line through the past exports of similar size, fitted by medians, so that
neither an outlier nor the weak compression of small files distorts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log
from statistics import median
from typing import Any

from waybill.exporter.formats.registry import FORMATS

#: Assumed for a query that does not say how many columns it has: as many as our sample has.
USUAL_COLUMNS = 11

#: The line is fitted to this many past exports, those nearest in size. Median error of 20
#: exports after 10, with random sizes up to 8,000 and 100,000 rows: 0.1 % of an XLSX, 0.6 % of a
#: Parquet file; with a median per row instead of a line, 4.6 %. (Measured.)
_NEAREST = 8
#: Sizes that differ by a smaller factor give no line: its slope would be noise.
_MIN_SIZE_RATIO = 2
#: Past exports with the same parameters filled in that it takes to correct the planner.
_MIN_ERRORS = 3
#: A larger error of the planner is no constant factor, and is not corrected further.
_LARGEST_CORRECTION = 10.0

#: Defaults: seconds of an export without rows (claim, connection, upload, commit), and cells per
#: second. 100,000 orders took 0.3 to 0.5 s from SQLite as XLSX, CSV and Parquet on two cores: 2 to
#: 3 million cells per second. (Measured.) A distant store makes both worse; past exports show it.
_EMPTY_SECONDS = 0.2
_CELLS_PER_SECOND = 2_000_000


@dataclass(frozen=True, slots=True)
class PastExport:
    """The figures of one finished export."""

    rows: int
    size_bytes: int
    #: None when the duration is not meaningful, because the first attempt did not finish it.
    seconds: float | None
    #: The planner's estimate at the start; None when the database has no planner.
    planner_rows: int | None
    #: Names of the parameters that had a value; see `filled_params`.
    filled_params: frozenset[str]
    #: Names of the columns that its request chose, in any order; empty: all of the dataset.
    columns: frozenset[str] = frozenset()


def filled_params(params: Mapping[str, Any]) -> frozenset[str]:
    """Names of the parameters that have a value.

    A planner's error depends on which conditions a query has, and little on their values.
    """
    return frozenset(name for name, value in params.items() if value not in (None, "", [], {}))


def chosen_columns(options: Mapping[str, Any] | None) -> frozenset[str]:
    """Names of the columns that a request chose, by the options of its task.

    A row of two columns is not as long as one of twenty: size and duration are taken from exports
    of the same columns only. The number of rows does not depend on them.
    """
    return frozenset(item["name"] for item in (options or {}).get("columns", ()))


def estimate_bytes(format_name: str, rows: int, columns: int, past: Sequence[PastExport]) -> int:
    """Estimated size of the file, in bytes."""
    file_format = FORMATS[format_name]
    points = [(export.rows, float(export.size_bytes)) for export in past]
    found = _fit(points, rows, file_format.empty_bytes)
    if found is None:
        found = file_format.empty_bytes + rows * columns * file_format.bytes_per_cell
    return round(found)


def estimate_seconds(rows: int, columns: int, past: Sequence[PastExport]) -> float:
    """Estimated duration in seconds, from the start of the export."""
    points = [(export.rows, export.seconds) for export in past if export.seconds is not None]
    found = _fit(points, rows, _EMPTY_SECONDS)
    if found is None:
        found = _EMPTY_SECONDS + rows * columns / _CELLS_PER_SECOND
    return round(found, 2)


def correct_planner_rows(
    planner_rows: int, params: frozenset[str], past: Iterable[PastExport]
) -> int:
    """The planner's estimate, corrected by its median error with the same parameters filled in."""
    errors = [
        export.rows / export.planner_rows
        for export in past
        if export.planner_rows and export.filled_params == params
    ]
    if len(errors) < _MIN_ERRORS:
        return planner_rows
    factor = min(_LARGEST_CORRECTION, max(1 / _LARGEST_CORRECTION, median(errors)))
    return round(planner_rows * factor)


def _fit(points: Iterable[tuple[int, float]], rows: int, fixed: float) -> float | None:
    """The figure at `rows`, from the nearest `points` (rows, figure); None without points.

    Points too close together for a line keep the `fixed` part and give a median per row.
    """
    target = log(max(1, rows))
    near = sorted(
        (point for point in points if point[0]), key=lambda point: abs(log(point[0]) - target)
    )
    near = near[:_NEAREST]
    if not near:
        return None
    sizes = [size for size, _ in near]
    if max(sizes) >= _MIN_SIZE_RATIO * min(sizes):
        slope = median(
            (figure_b - figure_a) / (rows_b - rows_a)
            for (rows_a, figure_a), (rows_b, figure_b) in combinations(near, 2)
            if rows_a != rows_b
        )
        if slope > 0:
            start = median(figure - slope * size for size, figure in near)
            return max(0.0, start) + slope * rows
    return fixed + rows * median(max(0.0, figure - fixed) / size for size, figure in near)
