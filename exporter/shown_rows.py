"""Rows as the layout shows them: hidden columns left out, masks and value labels applied.

This stands between the source and every encoder, so no format can show what a mask covers. The
seal of a batch is checked before, and the shown batch is sealed again with the same place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl
import pyarrow as pa

from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.ports import RowStream
from waybill.exporter.rows.seals import changed_batch
from waybill.exporter.values.cell_columns import CellColumn, ValueKind, cell_texts
from waybill.exporter.values.declared_kinds import declared_kind
from waybill.exporter.values.masked_texts import labelled, masked


class ShownRows:
    """The schema and batches of `stream` as `layout` shows them."""

    def __init__(self, stream: RowStream, layout: Layout) -> None:
        self._stream = stream
        self._layout = layout
        schema = stream.schema
        self._kept = [at for at, name in enumerate(schema.names) if name not in layout.hidden]
        #: The columns that change, by their place in the source.
        self._changed: Mapping[int, Column] = {
            at: column
            for at in self._kept
            if (column := layout.column(schema.names[at])).mask or column.values
        }
        self._same = len(self._kept) == len(schema) and not self._changed
        self._source = schema
        self.schema = schema if self._same else pa.schema(map(self._field, self._kept))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self._same:
            yield from self._stream
            return
        for batch in self._stream:
            yield changed_batch(batch, [self._array(batch, at) for at in self._kept], self.schema)

    @property
    def read_as_text(self) -> dict[int, int]:
        """As `RowStream.read_as_text`, by the places shown; what is covered is not counted."""
        read = self._stream.read_as_text
        return {
            place: read[at]
            for place, at in enumerate(self._kept)
            if at in read and at not in self._changed
        }

    def _field(self, at: int) -> pa.Field:
        field = self._source.field(at)
        return pa.field(field.name, pa.large_string()) if at in self._changed else field

    def _array(self, batch: pa.RecordBatch, at: int) -> pa.Array:
        array = batch.column(at)
        column = self._changed.get(at)
        if column is None:
            return array
        texts = self._texts(array, self._source.field(at))
        shown = (
            masked(texts, column.mask)
            if column.mask is not None
            else labelled(texts, {_key(key): str(text) for key, text in column.values.items()})
        )
        return shown.cast(pl.String).to_arrow().cast(pa.large_string())

    def _texts(self, array: pa.Array, field: pa.Field) -> pl.Series:
        as_text = CellColumn(
            "0",
            name="",
            label="",
            kind=ValueKind.TEXT,
            as_text=True,
            declared=declared_kind(field),
        )
        table = pa.table([array], schema=pa.schema([field.with_name("0")]))
        return cell_texts(table, (as_text,), self._layout.timezone).to_series().cast(pl.String)


def _key(value: object) -> str:
    """A value of `Column.values` as the text that a column of it has."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
