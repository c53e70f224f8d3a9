"""What the declared type of a SQLite column promises, by its name.

SQLite takes any words as a type. Here they are read as the application that wrote them meant
them, and only where its name is known: a type that merely has NUMERIC affinity, as every unknown
one has, is no number. `declared_type` returns None for those, and the values decide.
"""

from __future__ import annotations

import re

import pyarrow as pa

from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as
from waybill.infra.sources.arrow_types import MAX_DECIMAL_DIGITS, TIME, TIMESTAMP

#: ``NUMBER(10, 2)``: words and arguments, as SQLite's grammar has them.
_DECLARATION = re.compile(r"([^(]*)(?:\((.*)\))?", re.DOTALL)
_INTEGER = re.compile(r"(?:TINY|SMALL|MEDIUM|BIG)?INT(?:EGER)?[1-8]?|(?:BIG|SMALL)?SERIAL")
_ZONED = ("WITH TIME ZONE", "WITH LOCAL TIME ZONE")

#: By the first word.
_BY_NAME: dict[str, pa.DataType] = {
    "BOOL": pa.bool_(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "DATETIME": TIMESTAMP,
    "DATETIME2": TIMESTAMP,
    "SMALLDATETIME": TIMESTAMP,
    "TIME": TIME,
    "TIMESTAMP": TIMESTAMP,
}
_EXACT = frozenset({"DEC", "DECIMAL", "FIXED", "MONEY", "NUMBER", "NUMERIC"})
#: Names for text that SQLite does not know, and gives NUMERIC affinity.
_TEXTS = frozenset({"ENUM", "GUID", "STRING", "UNIQUEIDENTIFIER", "UUID", "XML"})


def declared_type(declaration: str) -> tuple[pa.DataType, dict[bytes, bytes]] | None:
    """The type that `declaration` promises and its marks; None where it promises nothing.

    ``DECIMAL`` without a precision promises numbers, and SQLite keeps those as doubles: a
    double, marked as a decimal. ``TIMESTAMP WITH TIME ZONE`` promises nothing: SQLite has no
    zones, and what is stored may have an offset or none.
    """
    match = _DECLARATION.fullmatch(declaration.upper())
    if match is None:
        return None
    name, arguments = match.groups(default="")
    words = name.split()
    if not words or " ".join(words).endswith(_ZONED):
        return None
    first = words[0]
    if first in _BY_NAME:
        return _BY_NAME[first], {}
    if first in _EXACT:
        return _exact(arguments)
    if first in {"JSON", "JSONB"}:
        return pa.string(), declared_as(DeclaredKind.JSON)
    if any(map(_INTEGER.fullmatch, words)):
        return pa.int64(), {}
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")) or first in _TEXTS:
        return pa.string(), {}
    if any(part in name for part in ("REAL", "FLOA", "DOUB")):
        return pa.float64(), {}
    return None


def _exact(arguments: str) -> tuple[pa.DataType, dict[bytes, bytes]]:
    digits = [part.strip() for part in arguments.split(",")]
    if all(part.isdecimal() for part in digits):
        precision, scale = int(digits[0]), int(digits[1]) if len(digits) > 1 else 0
        if 0 < precision <= MAX_DECIMAL_DIGITS and scale <= precision:
            return pa.decimal128(precision, scale), {}
    return pa.float64(), declared_as(DeclaredKind.DECIMAL)
