"""The columns and the order of `waybill export`, as people type them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from waybill.exporter.datasets.choices import ColumnChoice, SortKey
from waybill.exporter.errors import InvalidRequest


def read_columns(texts: Sequence[str]) -> tuple[ColumnChoice, ...]:
    """Each ``--column name`` or ``--column name=Label``.

    Raises:
        InvalidRequest: a name or a label is empty or too long.
    """
    return tuple(map(_column, texts))


def read_sort(texts: Sequence[str]) -> tuple[SortKey, ...]:
    """Each ``--sort name``, or ``--sort -name`` for descending.

    Raises:
        InvalidRequest: a name is empty or too long.
    """
    return tuple(map(_sort_key, texts))


def _column(text: str) -> ColumnChoice:
    name, separator, label = text.partition("=")
    try:
        return ColumnChoice(name=name, label=label if separator else None)
    except ValidationError:
        raise InvalidRequest("--column takes NAME or NAME=LABEL, such as total=Sum.") from None


def _sort_key(text: str) -> SortKey:
    try:
        return SortKey.model_validate(text)
    except ValidationError:
        raise InvalidRequest("--sort takes NAME, or -NAME for descending.") from None
