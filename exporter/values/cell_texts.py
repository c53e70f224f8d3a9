"""The exact text of every value of a table, column by column, before any quoting."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from waybill.exporter.values.arrow_conversions import for_polars
from waybill.exporter.values.columns import CellColumn
from waybill.exporter.values.value_texts import value_texts


def cell_texts(table: pa.Table, columns: Sequence[CellColumn], zone: ZoneInfo) -> pl.DataFrame:
    """The values of `table` as `value_texts` has them; columns are called by their keys."""
    arrays = [for_polars(array, zone) for array in table.columns]
    keys = [column.key for column in columns]
    return value_texts(pl.DataFrame(pa.Table.from_arrays(arrays, names=keys)), zone)
