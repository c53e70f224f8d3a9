"""Geometries as text, from the bytes that MySQL sends."""

from __future__ import annotations

import struct

import pytest

from waybill.infra.sources.mysql.well_known_text import well_known_text

SRID = b"\xe6\x10\x00\x00"


def point(x: float, y: float, order: str = "<") -> bytes:
    return struct.pack(f"{order}BIdd", order == "<", 1, x, y)


@pytest.mark.parametrize("order", "<>")
def test_a_point_has_its_shortest_digits_whatever_the_byte_order(order):
    assert well_known_text(SRID + point(7.19, 43.72, order)) == "POINT(7.19 43.72)"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((0.0, "0"), (-1.0, "-1"), (1e14, "100000000000000"), (1e15, "1e15"), (1e20, "1e20")),
        *((1e-7, "0.0000001"), (1.5e-16, "1.5e-16"), (-2.5e-300, "-2.5e-300")),
    ],
)
def test_a_coordinate_has_an_exponent_only_where_the_server_writes_one(number, text):
    assert well_known_text(SRID + point(number, 1.0)) == f"POINT({text} 1)"


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"\x00" * 4, SRID + point(1, 2)[:-1], SRID + point(1, 2) + b"\x00"),
        SRID + struct.pack("<BI", 1, 99),
        SRID + struct.pack("<BII", 1, 4, 1) + struct.pack("<BI", 1, 9),
        SRID + point(float("nan"), 1.0),
    ],
)
def test_what_is_no_geometry_is_refused(value):
    with pytest.raises(ValueError, match=r"well-known|bytes|number"):
        well_known_text(value)
