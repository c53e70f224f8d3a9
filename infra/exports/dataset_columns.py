"""The columns of a dataset as one reader sees them: name, label, type and help."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Column
from waybill.exporter.datasets.principal import Principal
from waybill.infra.exports.projection import named_columns

log = logging.getLogger(__name__)

#: The first that fits counts.
_KINDS: tuple[tuple[tuple[type[Any], ...], str], ...] = (
    ((sa.Boolean,), "boolean"),
    ((sa.Integer,), "integer"),
    ((sa.Numeric,), "number"),
    ((sa.DateTime,), "datetime"),
    ((sa.Date,), "date"),
    ((sa.Time,), "time"),
    ((sa.Interval,), "duration"),
    ((sa.JSON,), "json"),
    ((sa.ARRAY,), "list"),
    ((sa.LargeBinary,), "binary"),
    ((sa.String, sa.Uuid), "text"),
)


@dataclass(frozen=True, slots=True)
class ReaderColumn:
    """One column, with its texts in the reader's language."""

    name: str
    label: str
    #: boolean, integer, number, text, date, datetime, time, duration, json, list, binary, unknown.
    type: str
    help: str
    #: Its values are masked for this reader, and it cannot be sorted by.
    masked: bool


def columns_seen(dataset: Dataset, user: Principal, language: str) -> list[ReaderColumn]:
    """The columns that `user` can choose, in the dataset's order.

    They are those of the query with all parameters left out; where that cannot be made, the
    declared ones. A workbook has none of its own: ask its sheets.
    """
    hidden, masked = dataset.hidden_from(user), dataset.masked_for(user)
    found: list[ReaderColumn] = []
    for name, kind in _types(dataset, user).items():
        if name in hidden:
            continue
        column = dataset.columns.get(name, Column()).seen_by(user, language)
        is_text = column.mask is not None or bool(column.values)
        found.append(
            ReaderColumn(
                name,
                str(column.label or name),
                "text" if is_text else kind,
                str(column.help),
                name in masked,
            )
        )
    return found


def _types(dataset: Dataset, user: Principal) -> Mapping[str, str]:
    if dataset.sheets:
        return {}
    try:
        query = dataset.query(dataset.params(), user)
        found = {name: _kind(column.type) for name, column in named_columns(query).items()}
    except Exception as error:
        # A parameter is required, or the dataset refuses this caller without one.
        log.debug("columns as declared", extra={"dataset": dataset.name, "why": str(type(error))})
        found = {}
    return found or dict.fromkeys(dataset.columns, "unknown")


def _kind(kind: sa.types.TypeEngine[Any]) -> str:
    return next((name for types, name in _KINDS if isinstance(kind, types)), "unknown")
