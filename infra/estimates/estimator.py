"""Estimates of exports: rows from the source database, size and duration from past exports.

The API estimates before a request is submitted. The worker estimates again when it starts, and
records that estimate with the task, beside the actual figures (docs/decisions/0017-estimates.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Dataset, Query
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import WaybillError
from waybill.exporter.ports import RowCount, RowCounter
from waybill.infra.estimates.history import TaskHistory
from waybill.infra.estimates.model import (
    USUAL_COLUMNS,
    PastExport,
    chosen_columns,
    correct_planner_rows,
    estimate_bytes,
    estimate_seconds,
    filled_params,
)


class RowsKnownBy(StrEnum):
    """Where the number of rows comes from."""

    #: The database counted them just now.
    EXACT = "exact"
    #: The database's planner estimated them; corrected by its past errors.
    PLANNER = "planner"
    #: The user's own last export with the same parameters had as many.
    HISTORY = "history"


#: The value of `rows_problem` when the database answered too late.
TOO_SLOW = "count_too_slow"


@dataclass(frozen=True, slots=True)
class ExportEstimate:
    """The estimated figures of one export. Without `rows`, size and seconds are None as well."""

    rows: int | None
    rows_known_by: RowsKnownBy | None
    #: Stable code of the error that kept the database from answering.
    rows_problem: str | None
    #: The planner's own estimate, before any correction.
    planner_rows: int | None
    #: None when the query does not say how many it has.
    columns: int | None
    size_bytes: int | None
    seconds: float | None
    #: The past exports behind the figures; without any, the defaults were used.
    past: list[PastExport]


class Estimator:
    """Makes estimates, in little more time than counting the rows takes."""

    def __init__(self, history: TaskHistory, counters: Mapping[str, RowCounter]) -> None:
        """`counters` are the databases that datasets read, by name."""
        self._history = history
        self._counters = counters

    def estimate(
        self,
        user: Principal,
        dataset: Dataset,
        queries: Sequence[Query],
        values: Mapping[str, Any],
        format_name: str,
        within: timedelta,
        options: Mapping[str, Any] | None = None,
        count: RowCount | None = None,
    ) -> ExportEstimate:
        """The estimate for `user`'s export of `queries`, which `dataset` made from `values`.

        A workbook has several; its rows are those of all together.

        `values` are the parameters as JSON, with all defaults, and `options` those of the task.
        A source that is away, slow, or refuses the query costs the number of rows and nothing else.
        With a `count` that is known already, it is not asked.
        """
        past = self._history.past_exports(user.tenant, dataset.name, format_name)
        problem = None
        if count is None:
            count, problem = self._count(dataset, queries, within)
        rows, known = count.counted, RowsKnownBy.EXACT
        if rows is None and count.estimated is not None:
            rows, known = (
                correct_planner_rows(count.estimated, filled_params(values), past),
                RowsKnownBy.PLANNER,
            )
        if rows is None:
            rows = self._history.rows_of_equal_request(user, dataset.name, values)
            known = RowsKnownBy.HISTORY
        chosen = chosen_columns(options)
        past = [export for export in past if export.columns == chosen]
        columns = _columns_of(queries)
        width = columns or USUAL_COLUMNS
        return ExportEstimate(
            rows=rows,
            rows_known_by=None if rows is None else known,
            rows_problem=problem,
            planner_rows=count.estimated,
            columns=columns,
            size_bytes=None if rows is None else estimate_bytes(format_name, rows, width, past),
            seconds=None if rows is None else estimate_seconds(rows, width, past),
            past=past,
        )

    def _count(
        self, dataset: Dataset, queries: Sequence[Query], within: timedelta
    ) -> tuple[RowCount, str | None]:
        counter, share = self._counters[dataset.reads], within / len(queries)
        try:
            count = _sum_of([counter.count(query, within=share) for query in queries])
        except WaybillError as error:
            return RowCount(), error.code
        unknown = count.counted is None and count.estimated is None
        return count, TOO_SLOW if unknown else None


def _sum_of(counts: Sequence[RowCount]) -> RowCount:
    """The rows of all together; a number that is an estimate of one is an estimate of all."""
    if len(counts) == 1:
        return counts[0]
    counted = [count.counted for count in counts if count.counted is not None]
    if len(counted) == len(counts):
        return RowCount(counted=sum(counted))
    best = [count.estimated if count.counted is None else count.counted for count in counts]
    known = [rows for rows in best if rows is not None]
    return RowCount(estimated=sum(known)) if len(known) == len(best) else RowCount()


def _columns_of(queries: Sequence[Query]) -> int | None:
    """How many columns they have, on average."""
    widths = [len(query.selected_columns) for query in queries if isinstance(query, sa.Select)]
    return round(sum(widths) / len(widths)) if len(widths) == len(queries) else None
