"""Bounds: the least and the greatest number of a column."""

from __future__ import annotations

from typing import cast

import polars as pl


def bounds(values: pl.Series) -> tuple[int, int] | None:
    """The least and the greatest of these numbers; None if all are null."""
    low, high = values.min(), values.max()
    return None if low is None else cast("tuple[int, int]", (low, high))
