"""From rows to bytes and seconds: what was measured once, corrected by what came true since.

Every figure is a fixed part and a part for each row. Without a past both are those of our sample
data. With one, they are the line through the finished exports nearest in size, made of medians
(Theil-Sen), so that neither a stray export nor the weak compression of small files spoils it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log
from statistics import median
from typing import Any

#: Columns of a query that does not say how many it has: as many as our sample has.
USUAL_COLUMNS = 11

#: So many of the past exports decide, those nearest in size. The median error of 20 exports
#: after 10, sizes at random up to 8,000 and 100,000 rows: 0.1 % of an XLSX, 0.6 % of a Parquet
#: file, against 4.6 % for a median per row. (Measured.)
_NEAREST = 8
#: Sizes that differ by less draw no line: its slope would be noise.
_SPREAD = 2
#: Fewer exports with the same parameters filled in do not correct the planner.
_ENOUGH = 3
#: A planner that is further off has other reasons than a constant error.
_LARGEST_CORRECTION = 10.0


@dataclass(frozen=True, slots=True)
class Prior:
    """What a format takes before anything is known about a dataset."""

    #: Of a file without rows.
    empty_bytes: int
    bytes_per_cell: float


#: The sample's orders (100,000 rows, 11 columns) and the rows of the benchmarks (100,000 of 10)
#: through each encoder: the geometric mean of both, and the file without rows. (Measured.)
PRIORS: Mapping[str, Prior] = {
    "xlsx": Prior(6_600, 8.6),
    "csv": Prior(100, 12.8),
    "csv.gz": Prior(110, 3.5),
    "csv.zip": Prior(900, 3.5),
    "xlsx.zip": Prior(7_500, 8.6),
    "jsonl.gz": Prior(20, 4.1),
    "parquet": Prior(1_200, 1.8),
}

#: Claim, connection, upload and commit of an export without rows; and cells a second. The
#: 100,000 orders took 0.3 to 0.5 s from SQLite as XLSX, CSV and Parquet on two cores, which is 2
#: to 3 million. (Measured.) A store far away makes both worse, and the first exports say so.
_EMPTY_SECONDS = 0.2
_CELLS_PER_SECOND = 2_000_000


@dataclass(frozen=True, slots=True)
class PastExport:
    """What one finished export came to."""

    rows: int
    size_bytes: int
    #: None where the time says nothing, because an attempt was repeated.
    seconds: float | None
    #: What the planner said when it began.
    planned_rows: int | None
    #: Which parameters narrowed it; see `filled`.
    filled: frozenset[str]


def filled(params: Mapping[str, Any]) -> frozenset[str]:
    """The parameters that have a value. Planners err by condition, not by its value."""
    return frozenset(name for name, value in params.items() if value not in (None, "", [], {}))


def bytes_for(chosen: str, rows: int, columns: int, past: Sequence[PastExport]) -> int:
    """About how long the file will be."""
    prior = PRIORS[chosen]
    points = [(export.rows, float(export.size_bytes)) for export in past]
    found = _along(points, rows, prior.empty_bytes)
    if found is None:
        found = prior.empty_bytes + rows * columns * prior.bytes_per_cell
    return round(found)


def seconds_for(rows: int, columns: int, past: Sequence[PastExport]) -> float:
    """About how long it will take from its beginning."""
    points = [(export.rows, export.seconds) for export in past if export.seconds is not None]
    found = _along(points, rows, _EMPTY_SECONDS)
    if found is None:
        found = _EMPTY_SECONDS + rows * columns / _CELLS_PER_SECOND
    return round(found, 2)


def correct_plan(planned: int, params: frozenset[str], past: Iterable[PastExport]) -> int:
    """The planner's guess, corrected by how it erred when the same parameters were filled in."""
    errors = [
        export.rows / export.planned_rows
        for export in past
        if export.planned_rows and export.filled == params
    ]
    if len(errors) < _ENOUGH:
        return planned
    factor = min(_LARGEST_CORRECTION, max(1 / _LARGEST_CORRECTION, median(errors)))
    return round(planned * factor)


def _along(points: Iterable[tuple[int, float]], rows: int, fixed: float) -> float | None:
    """The figure at `rows`, by the nearest of the `points` (rows, figure); None without any.

    Points that draw no line keep the `fixed` part, and give a median for each row.
    """
    wanted = log(max(1, rows))
    near = sorted((one for one in points if one[0]), key=lambda one: abs(log(one[0]) - wanted))
    near = near[:_NEAREST]
    if not near:
        return None
    sizes = [size for size, _ in near]
    if max(sizes) >= _SPREAD * min(sizes):
        slope = median(
            (there[1] - here[1]) / (there[0] - here[0])
            for here, there in combinations(near, 2)
            if here[0] != there[0]
        )
        if slope > 0:
            start = median(figure - slope * size for size, figure in near)
            return max(0.0, start) + slope * rows
    return fixed + rows * median(max(0.0, figure - fixed) / size for size, figure in near)
