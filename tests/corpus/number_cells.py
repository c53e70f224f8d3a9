"""C20–C23: numbers Excel would round, and floats no number cell can hold."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.corpus.case import CellCase

_INTS = [0, -1, 2**31, 999_999_999_999_999, -999_999_999_999_999, None]
_LONG_INTS = [10**15, -(10**15), 2**53 + 1, 2**63 - 1, -(2**63), 42]
_FLOATS = [0.1, -0.0, 1.5, 2.2250738585072014e-308, 1.7976931348623157e308, 2 / 3, 1e22, 1e-7, None]


def _texts(values: list[Any]) -> list[str | None]:
    return [None if value is None else str(value) for value in values]


NUMBER_CELLS: tuple[CellCase, ...] = (
    CellCase("C20", "integers", pa.array(_INTS, pa.int64()), _INTS, _texts(_INTS), _INTS),
    CellCase(
        "C20",
        "integers over fifteen digits",
        pa.array(_LONG_INTS, pa.int64()),
        xlsx=[*map(str, _LONG_INTS[:-1]), 42],
        csv=_texts(_LONG_INTS),
        jsonl=_LONG_INTS,
        xlsx_warnings={"long_number_as_text": 5},
    ),
    CellCase(
        "C20",
        "unsigned integers",
        pa.array([12345678901234567890, 2**64 - 1, 7, None], pa.uint64()),
        xlsx=["12345678901234567890", "18446744073709551615", 7, None],
        csv=["12345678901234567890", "18446744073709551615", "7", None],
        jsonl=[12345678901234567890, 2**64 - 1, 7, None],
        xlsx_warnings={"long_number_as_text": 2},
    ),
    CellCase(
        "C20",
        "small integer types",
        pa.array([-128, 127, None], pa.int8()),
        xlsx=[-128, 127, None],
        csv=["-128", "127", None],
        jsonl=[-128, 127, None],
    ),
    CellCase(
        "C21",
        "money",
        pa.array(
            [Decimal("1234.50"), Decimal("-0.01"), Decimal("0.00"), None], pa.decimal128(12, 2)
        ),
        xlsx=[1234.5, -0.01, 0, None],
        csv=["1234.50", "-0.01", "0.00", None],
        jsonl=[Decimal("1234.50"), Decimal("-0.01"), Decimal("0.00"), None],
    ),
    CellCase(
        "C21",
        "decimals over fifteen digits",
        pa.array(
            [
                Decimal("0.1234567890123456789"),
                Decimal("12345678901234567.0000000000000000000"),
                Decimal("1.5000000000000000000"),
                Decimal("0.0000000000000000001"),
                None,
            ],
            pa.decimal128(38, 19),
        ),
        xlsx=[
            "0.1234567890123456789",
            "12345678901234567.0000000000000000000",
            1.5,
            1e-19,
            None,
        ],
        csv=[
            "0.1234567890123456789",
            "12345678901234567.0000000000000000000",
            "1.5000000000000000000",
            "0.0000000000000000001",
            None,
        ],
        jsonl=[
            Decimal("0.1234567890123456789"),
            Decimal("12345678901234567.0000000000000000000"),
            Decimal("1.5000000000000000000"),
            Decimal("0.0000000000000000001"),
            None,
        ],
        xlsx_warnings={"long_number_as_text": 2},
    ),
    CellCase(
        "C21",
        "decimal256",
        pa.array([Decimal(10**49), Decimal("2"), None], pa.decimal256(60, 1)),
        xlsx=["1" + "0" * 49 + ".0", 2, None],
        csv=["1" + "0" * 49 + ".0", "2.0", None],
        jsonl=[Decimal("1" + "0" * 49 + ".0"), Decimal("2.0"), None],
        xlsx_warnings={"long_number_as_text": 1},
    ),
    CellCase("C22", "floats", pa.array(_FLOATS, pa.float64()), _FLOATS, _FLOATS, _FLOATS),
    CellCase(
        "FC15",
        "subnormal floats",
        pa.array([5e-324, -2.225e-308, 1.0, 0.0, None], pa.float64()),
        xlsx=["5e-324", "-2.225e-308", 1, 0, None],
        csv=[5e-324, -2.225e-308, 1.0, 0.0, None],
        jsonl=[5e-324, -2.225e-308, 1.0, 0.0, None],
        xlsx_warnings={"tiny_number_as_text": 2},
    ),
    CellCase(
        "C22",
        "not a number",
        pa.array([math.nan, math.inf, -math.inf, 1.0, None], pa.float64()),
        xlsx=["NaN", "Infinity", "-Infinity", 1, None],
        csv=["NaN", "Infinity", "-Infinity", 1.0, None],
        jsonl=["NaN", "Infinity", "-Infinity", 1.0, None],
        xlsx_warnings={"not_finite_as_text": 3},
    ),
    CellCase(
        "C22",
        "single precision",
        pa.array([0.1, 16777216.0, None], pa.float32()),
        xlsx=[0.1, 16777216, None],
        csv=[0.1, 16777216.0, None],
        jsonl=[0.1, 16777216.0, None],
    ),
    CellCase(
        "C23",
        "booleans",
        pa.array([True, False, None], pa.bool_()),
        xlsx=[True, False, None],
        csv=["true", "false", None],
        jsonl=[True, False, None],
    ),
)
