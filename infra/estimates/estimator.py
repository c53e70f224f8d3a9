"""What an export will come to: rows from its database, bytes and seconds from its past.

Used before the click, and again by the worker when it begins, whose answer is kept on the task
beside what came true (`docs/decisions/0017-estimates.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import sqlalchemy as sa
from pydantic import BaseModel

from waybill.exporter.datasets.dataset import Dataset, Query
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import WaybillError
from waybill.exporter.ports import RowCount, RowCounter
from waybill.infra.estimates.history import TaskHistory
from waybill.infra.estimates.model import (
    USUAL_COLUMNS,
    PastExport,
    bytes_for,
    correct_plan,
    filled,
    seconds_for,
)


class RowsKnownBy(StrEnum):
    """How the number of rows is known."""

    #: Counted, just now.
    EXACT = "exact"
    #: Guessed by the database's planner, and corrected by how it erred before.
    PLANNER = "planner"
    #: What the same request of the same person came to last time.
    HISTORY = "history"


#: Why there is no number of rows, when no error says it.
TOO_SLOW = "count_too_slow"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an export will come to. Without `rows` there are no bytes and no seconds either."""

    rows: int | None
    rows_known_by: RowsKnownBy | None
    #: Stable code of what kept the database from answering.
    rows_problem: str | None
    #: The planner's own number, before any correction.
    planned_rows: int | None
    #: None when the query does not say.
    columns: int | None
    size_bytes: int | None
    seconds: float | None
    #: What the figures are calibrated by; without any they are those of our sample data.
    past: list[PastExport]


class Forecasts:
    """Makes forecasts, in little more time than the counter takes."""

    def __init__(self, history: TaskHistory, counters: Mapping[str, RowCounter]) -> None:
        """`counters` are those of the databases that datasets read, by their name."""
        self._history = history
        self._counters = counters

    def foretell(
        self, user: Principal, dataset: Dataset, params: BaseModel, chosen: str, within: timedelta
    ) -> Forecast:
        """The forecast for `user`'s export of `dataset` as `chosen`.

        A source that is away, slow, or refuses the query costs the number of rows and nothing
        else; what the dataset's own function raises is passed on.
        """
        query = dataset.query(params, user)
        values = params.model_dump(mode="json")
        past = self._history.past_exports(user.tenant, dataset.name, chosen)
        count, problem = self._count(dataset, query, within)
        rows, known = count.counted, RowsKnownBy.EXACT
        if rows is None and count.planned is not None:
            rows, known = correct_plan(count.planned, filled(values), past), RowsKnownBy.PLANNER
        if rows is None:
            rows = self._history.rows_of_equal_request(user, dataset.name, values)
            known = RowsKnownBy.HISTORY
        columns = _columns_of(query)
        width = columns or USUAL_COLUMNS
        return Forecast(
            rows=rows,
            rows_known_by=None if rows is None else known,
            rows_problem=problem,
            planned_rows=count.planned,
            columns=columns,
            size_bytes=None if rows is None else bytes_for(chosen, rows, width, past),
            seconds=None if rows is None else seconds_for(rows, width, past),
            past=past,
        )

    def _count(
        self, dataset: Dataset, query: Query, within: timedelta
    ) -> tuple[RowCount, str | None]:
        try:
            count = self._counters[dataset.reads].count(query, within=within)
        except WaybillError as error:
            return RowCount(), error.code
        unknown = count.counted is None and count.planned is None
        return count, TOO_SLOW if unknown else None


def _columns_of(query: Query) -> int | None:
    return len(query.selected_columns) if isinstance(query, sa.Select) else None
