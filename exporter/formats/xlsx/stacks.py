"""Stacks: columns whose values become cells in the same way, one below the other.

A step over a column has a cost of its own, about that of a thousand cells. A stack takes it once
for all of its columns.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from waybill.exporter.formats.xlsx.cell_formats import plain_array
from waybill.exporter.formats.xlsx.cells import CellFormat
from waybill.exporter.values.cell_columns import value_type


@dataclass(frozen=True, slots=True)
class Stack:
    """Columns of one kind."""

    #: Their positions in the row.
    members: tuple[int, ...]
    #: That of each of them.
    cell_format: CellFormat
    #: Whether the values of some are behind an extension, a dictionary or run ends.
    is_wrapped: bool

    def of(self, arrays: Sequence[pa.Array]) -> pa.Array:
        """The values of its columns, the first column's first; `arrays`: of all columns."""
        own = [arrays[position] for position in self.members]
        if self.is_wrapped:
            own = list(map(plain_array, own))
        return own[0] if len(own) == 1 else pa.concat_arrays(own)


def stacks_of(
    formats: Sequence[CellFormat], types: Sequence[pa.DataType], *, alone: bool = False
) -> tuple[Stack, ...]:
    """Every column in one stack; in a stack of its own each that is `alone`, or cannot be joined.

    `types` are those of the columns' arrays.
    """
    members: dict[Hashable, list[int]] = {}
    for position, (cell_format, kind) in enumerate(zip(formats, types, strict=True)):
        values = value_type(kind)
        key: Hashable = (_identity(cell_format), values)
        members.setdefault(key if _can_be_joined(values) and not alone else position, []).append(
            position
        )
    return tuple(
        Stack(
            tuple(positions),
            formats[positions[0]],
            any(value_type(types[position]) != types[position] for position in positions),
        )
        for positions in members.values()
    )


def _identity(cell_format: CellFormat) -> Hashable:
    """Equal for columns whose values become cells in the same way."""
    cells = cell_format.cells
    if isinstance(cells, partial):
        return (cells.func, cells.args, tuple(sorted(cells.keywords.items())))
    return cells


def _can_be_joined(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_primitive(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )
