"""The values that a text filter can have, as a query of the data: which cities there are."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest


def choices_query(
    dataset: Dataset, param: str, user: Principal, typed: str, most: int
) -> sa.Select[Any]:
    """At most `most` values of `param` that contain `typed` in any case, with their labels.

    Raises:
        InvalidRequest: there are none to be seen by `user`.
    """
    if param not in dataset.open_choices(user):
        raise InvalidRequest(f"There is no list of values for {param[:60]!r}.", field=param)
    dataset, source = dataset.choices_from(param)
    query = _of_column(dataset, source, user) if isinstance(source, str) else source(user)
    rows = query.subquery("waybill_choices")
    columns = list(rows.c)
    value, label = columns[0], columns[-1]
    shown = sa.select(value.label("value"), label.label("label")).distinct()
    shown = shown.where(value.is_not(None)).order_by(label)
    if typed:
        text = sa.func.lower(sa.cast(label, sa.Text))
        shown = shown.where(text.contains(typed.lower(), autoescape=True))
    return shown.limit(most).execution_options(**query.get_execution_options())


def _of_column(dataset: Dataset, column: str, user: Principal) -> sa.Select[Any]:
    try:
        query = dataset.query(dataset.params(), user)
    except ValidationError:
        raise InvalidRequest("There is no list of values without the other filters.") from None
    if not isinstance(query, sa.Select):
        raise InvalidRequest("There is no list of values of a query in SQL.")
    return sa.select(query.subquery("waybill_rows").c[column])
