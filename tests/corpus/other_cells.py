"""C29–C31: bytes, nested values, identifiers, and what a driver wraps in extension types."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

import pyarrow as pa

from tests.corpus.case import CellCase

_ID = UUID("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9")
_WORDS = ["a", "=1+1", None, "a"]


def _uuids() -> pa.Array:
    storage = pa.array([_ID.bytes, None], pa.binary(16))
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


def _json() -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":[1,2]}', None]))


def _numeric() -> pa.Array:
    """What ADBC's PostgreSQL driver makes of NUMERIC, which has no fixed scale."""
    texts = pa.array(["12.50", "12345678901234567.89", "NaN", None])
    return pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "numeric", "PostgreSQL"), texts)


def _opaque() -> pa.Array:
    texts = pa.array(["10.0.0.0/8", None])
    return pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "inet", "PostgreSQL"), texts)


OTHER_CELLS: tuple[CellCase, ...] = (
    CellCase(
        "C29",
        "bytes",
        pa.array([b"PK\x03\x04", b"", b"\xff\x00", None], pa.binary()),
        xlsx=["UEsDBA==", "", "/wA=", None],
        csv=["UEsDBA==", "", "/wA=", None],
        jsonl=["UEsDBA==", "", "/wA=", None],
        xlsx_warnings={"binary_as_base64": 3},
    ),
    CellCase(
        "C30",
        "lists",
        pa.array([[1, None, 3], [], None], pa.list_(pa.int32())),
        xlsx=["[1,null,3]", "[]", None],
        csv=["[1,null,3]", "[]", None],
        jsonl=[[1, None, 3], [], None],
    ),
    CellCase(
        "C30",
        "structs",
        pa.array(
            [{"名": "é<&", "day": date(2026, 1, 2), "price": Decimal("1.50")}, None],
            pa.struct([("名", pa.string()), ("day", pa.date32()), ("price", pa.decimal128(5, 2))]),
        ),
        xlsx=['{"名":"é<&","day":"2026-01-02","price":1.50}', None],
        csv=['{"名":"é<&","day":"2026-01-02","price":1.50}', None],
        jsonl=[{"名": "é<&", "day": "2026-01-02", "price": Decimal("1.50")}, None],
    ),
    CellCase(
        "C30",
        "maps",
        pa.array([[("a", 1), ("b", None)], None], pa.map_(pa.string(), pa.int32())),
        xlsx=['{"a":1,"b":null}', None],
        csv=['{"a":1,"b":null}', None],
        jsonl=[{"a": 1, "b": None}, None],
    ),
    CellCase(
        "C30",
        "json",
        _json(),
        xlsx=['{"a":[1,2]}', None],
        csv=['{"a":[1,2]}', None],
        jsonl=[{"a": [1, 2]}, None],
    ),
    CellCase(
        "C31",
        "uuid",
        _uuids(),
        xlsx=[str(_ID), None],
        csv=[str(_ID), None],
        jsonl=[str(_ID), None],
    ),
    CellCase(
        "C31",
        "numeric of postgresql",
        _numeric(),
        xlsx=[12.5, "12345678901234567.89", "NaN", None],
        csv=["12.50", "12345678901234567.89", "NaN", None],
        jsonl=[Decimal("12.50"), Decimal("12345678901234567.89"), "NaN", None],
        parquet_warnings={"type_as_text": 3},
        xlsx_warnings={"long_number_as_text": 1, "not_finite_as_text": 1},
    ),
    CellCase(
        "C31",
        "inet of postgresql",
        _opaque(),
        xlsx=["10.0.0.0/8", None],
        csv=["10.0.0.0/8", None],
        jsonl=["10.0.0.0/8", None],
    ),
    *(
        CellCase(
            "C31",
            f"text as {kind}",
            pa.array(_WORDS, kind)
            if kind != "dictionary"
            else pa.array(_WORDS).dictionary_encode(),
            xlsx=_WORDS,
            csv=["a", "'=1+1", None, "a"],
            jsonl=_WORDS,
        )
        for kind in ("large_string", "string_view", "dictionary")
    ),
    CellCase("C31", "null type", pa.nulls(2), [None, None], [None, None], [None, None]),
)
