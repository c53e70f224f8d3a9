"""Declared kinds: what a column of text really holds, said by its source in field metadata.

A column's type is declared, and a value may be an exception to it: ``infinity`` among dates,
``n/a`` among integers, ``NaN`` in a ``numeric``. A source that meets one hands over the whole
column as a string column, every value in the database's own exact text, and marks the field
with the kind that was declared. An encoder then writes the values that are of this kind as what
they are, and carries the others as text. The mark is `declared_as`; `declared_kind` reads it.
"""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

#: Field metadata by which a source says what a string column really holds.
KIND_KEY = b"waybill.kind"
#: The precision and scale the column was declared with; left out where none was.
PRECISION_KEY = b"waybill.precision"
SCALE_KEY = b"waybill.scale"


class DeclaredKind(StrEnum):
    """The kind a column was declared with, and the text of a value that is of this kind.

    Any other text in such a column is an exception, and is carried as it is.
    """

    #: ``-?[0-9]+``, of any length.
    INTEGER = "integer"
    #: ``-?[0-9]+(.[0-9]+)?``, of any length: exact.
    DECIMAL = "decimal"
    #: The shortest digits of a double, with an exponent or without: ``1.5``, ``1e-07``.
    FLOAT = "float"
    #: ``true`` or ``false``.
    BOOLEAN = "boolean"
    #: ``2024-07-01``.
    DATE = "date"
    #: ``08:00:00`` or ``08:00:00.25``, before 24:00.
    TIME = "time"
    #: ``2024-07-01T10:00:00``, with a fraction or without; a blank may stand for the T.
    TIMESTAMP = "timestamp"
    #: The same with an offset: ``+00:00``, ``+02``, ``Z``.
    INSTANT = "timestamp with time zone"
    #: ``36:15:00`` or ``-01:30:00.5``; with a sign to each part, as PostgreSQL prints it,
    #: ``1 mon -2 days +03:00:00``, or in ISO 8601, ``P1M-2DT3H``.
    INTERVAL = "interval"
    #: JSON text.
    JSON = "json"


_BY_MARK = {str(kind): kind for kind in DeclaredKind}


def declared_as(
    kind: DeclaredKind, *, precision: int | None = None, scale: int | None = None
) -> dict[bytes, bytes]:
    """The metadata of a string field that was declared as `kind`."""
    marks = {KIND_KEY: kind, PRECISION_KEY: precision, SCALE_KEY: scale}
    return {key: str(mark).encode() for key, mark in marks.items() if mark is not None}


def declared_kind(field: pa.Field) -> DeclaredKind | None:
    """What the values of `field` really are; None where the Arrow type says all there is."""
    mark = (field.metadata or {}).get(KIND_KEY, b"").decode()
    if mark in _BY_MARK:
        return _BY_MARK[mark]
    if isinstance(field.type, pa.OpaqueType) and field.type.type_name == "numeric":
        # The PostgreSQL driver's own mark.
        return DeclaredKind.DECIMAL
    return None


def declared_scale(field: pa.Field) -> int | None:
    """The digits after the point that the column was declared with, by its type or its mark."""
    if pa.types.is_decimal(field.type):
        return max(int(field.type.scale), 0)
    mark = (field.metadata or {}).get(SCALE_KEY, b"").decode()
    return max(int(mark), 0) if mark.lstrip("-").isdecimal() else None
