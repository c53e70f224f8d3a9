"""The columns of a query whose driver returns Arrow: what is selected, and what each becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from waybill.infra.sources.batches import MAX_BYTES, slices
from waybill.infra.sources.errors import SourceRejected


@dataclass(frozen=True, slots=True)
class ArrowColumn:
    """How one column is read. In SQL, ``{0}`` stands for the column."""

    field: pa.Field
    #: What to select. As it is, a column keeps the driver's own Arrow type.
    select: str = "{0}"
    #: SQL that is true for a value which the field's type cannot hold.
    odd: str | None = None
    #: How the column is read when there is such a value.
    otherwise: ArrowColumn | None = None

    def resolve(self, has_odd_values: bool) -> ArrowColumn:
        """The column as it will be read."""
        return self.otherwise if has_odd_values and self.otherwise is not None else self

    def convert(self, array: pa.Array) -> pa.Array:
        """The driver's array as the promised type.

        Raises:
            SourceRejected: a value does not fit the type, and must not be changed to fit.
        """
        if array.type == self.field.type:
            return array
        try:
            return array.cast(self.field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise SourceRejected(
                f"Column {self.field.name!r} holds a value outside the range of its type."
            ) from None

    def convert_counted(self, array: pa.Array) -> tuple[pa.Array, int]:
        """The same, and how many values had to be made text that is not theirs."""
        return self.convert(array), 0


def bounded(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """`batch` in pieces of at most `MAX_ROWS` rows and `MAX_BYTES`, without copying.

    A single row may be larger.
    """
    for piece in slices(batch):
        yield from _halved(piece)


def _halved(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if batch.num_rows <= 1 or batch.nbytes <= MAX_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _halved(batch.slice(0, half))
    yield from _halved(batch.slice(half))
