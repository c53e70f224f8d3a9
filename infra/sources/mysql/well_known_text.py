"""Geometries as well-known text, spelled as ``ST_AsText`` of MariaDB spells them.

On the wire a geometry is four bytes of SRID, which the text leaves out, and well-known binary
(OGC 06-103r4, 8.2: a byte for the byte order, a number for the kind, counts and doubles).
"""

from __future__ import annotations

import struct
from decimal import Decimal

#: The kinds of well-known binary by their numbers.
_POINT, _LINE, _POLYGON = 1, 2, 3
_COLLECTIONS = {
    4: "MULTIPOINT",
    5: "MULTILINESTRING",
    6: "MULTIPOLYGON",
    7: "GEOMETRYCOLLECTION",
}
_ANY_KIND = 7

#: Where the decimal point may stand for a number to be written without an exponent. (MariaDB,
#: strings/dtoa.c, `my_gcvt`: DBL_DIG)
_PLAIN = range(-14, 16)


def well_known_text(value: bytes) -> str:
    """The text of one geometry as MySQL sends it; the coordinates in the order they are stored.

    Raises:
        ValueError: no geometry.
    """
    try:
        reader = _Reader(value[4:])
        text = reader.geometry()
    except (struct.error, KeyError):
        raise ValueError("no well-known binary") from None
    if not reader.is_at_end:
        raise ValueError("more bytes than a geometry has")
    return text


class _Reader:
    """Reads well-known binary from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0
        self._order = "<"

    @property
    def is_at_end(self) -> bool:
        return self._place == len(self._data)

    def geometry(self) -> str:
        kind = self._header()
        if kind == _POINT:
            return f"POINT({self._point()})"
        if kind == _LINE:
            return f"LINESTRING({self._points()})"
        if kind == _POLYGON:
            return f"POLYGON({self._rings()})"
        name = _COLLECTIONS[kind]
        members = [self._member(kind) for _ in range(self._count())]
        return f"{name}({','.join(members)})" if members else f"{name} EMPTY"

    def _member(self, kind: int) -> str:
        if kind == _ANY_KIND:
            return self.geometry()
        contents = {_POINT: self._point, _LINE: self._points, _POLYGON: self._rings}
        content = contents[self._header()]
        return content() if kind - 3 == _POINT else f"({content()})"

    def _header(self) -> int:
        (little,) = struct.unpack_from("B", self._data, self._place)
        self._place += 1
        self._order = "<" if little else ">"
        return self._count()

    def _count(self) -> int:
        (number,) = struct.unpack_from(f"{self._order}I", self._data, self._place)
        self._place += 4
        return int(number)

    def _rings(self) -> str:
        return ",".join(f"({self._points()})" for _ in range(self._count()))

    def _points(self) -> str:
        return ",".join(self._point() for _ in range(self._count()))

    def _point(self) -> str:
        pair = struct.unpack_from(f"{self._order}dd", self._data, self._place)
        self._place += 16
        return " ".join(map(_number, pair))


def _number(value: float) -> str:
    """The shortest digits that are this double."""
    exact = Decimal(repr(value)).normalize()
    sign, digits, exponent = exact.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("a coordinate that is no number")
    point = len(digits) + exponent
    if not value or point in _PLAIN:
        return format(exact, "f")
    first, rest = str(digits[0]), "".join(map(str, digits[1:]))
    return f"{'-' * sign}{first}{'.' * bool(rest)}{rest}e{point - 1}"
