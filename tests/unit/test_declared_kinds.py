"""What a source says about a string column in its metadata."""

from __future__ import annotations

import pyarrow as pa
import pytest

from waybill.exporter.values.declared_kinds import (
    DeclaredKind,
    declared_as,
    declared_kind,
    declared_scale,
)


@pytest.mark.parametrize("kind", DeclaredKind)
def test_a_mark_is_read_back(kind: DeclaredKind) -> None:
    assert declared_kind(pa.field("x", pa.string(), metadata=declared_as(kind))) is kind


def test_scale_and_precision_are_in_the_mark() -> None:
    marks = declared_as(DeclaredKind.DECIMAL, precision=10, scale=2)
    assert marks == {
        b"waybill.kind": b"decimal",
        b"waybill.precision": b"10",
        b"waybill.scale": b"2",
    }
    assert declared_scale(pa.field("x", pa.string(), metadata=marks)) == 2


@pytest.mark.parametrize(
    ("field", "scale"),
    [
        (pa.field("x", pa.decimal128(10, 4)), 4),
        (pa.field("x", pa.decimal256(60, -2)), 0),
        (pa.field("x", pa.string(), metadata=declared_as(DeclaredKind.DECIMAL, scale=-2)), 0),
        (pa.field("x", pa.string(), metadata=declared_as(DeclaredKind.DECIMAL)), None),
        (pa.field("x", pa.float64()), None),
    ],
)
def test_a_declared_scale(field: pa.Field, scale: int | None) -> None:
    assert declared_scale(field) == scale


@pytest.mark.parametrize("metadata", [None, {}, {b"waybill.kind": b"?"}, {b"other": b"decimal"}])
def test_a_plain_string_column_has_no_kind(metadata: dict[bytes, bytes] | None) -> None:
    assert declared_kind(pa.field("x", pa.string(), metadata=metadata)) is None


def test_the_postgresql_driver_marks_its_numerics_itself() -> None:
    kind = pa.opaque(pa.string(), "numeric", "PostgreSQL")
    assert declared_kind(pa.field("x", kind)) is DeclaredKind.DECIMAL
