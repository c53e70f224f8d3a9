"""Tables nobody thought of, written by us and read by openpyxl."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.workbooks import encode, naive, read_openpyxl
from waybill.exporter.datasets.layout import Layout

_EXACT = 10**15 - 1


def _number_or_text(value: Any) -> Any:
    return value if abs(value) <= _EXACT else str(value)


def _float(value: float) -> Any:
    if math.isnan(value):
        return "NaN"
    if 0 < abs(value) < sys.float_info.min:
        return str(value)
    return value if math.isfinite(value) else str(value).replace("inf", "Infinity")


def _stamp(value: datetime) -> Any:
    if value < naive(1900, 3, 1):
        return value.isoformat()
    return value


def _day(value: date) -> Any:
    shown = naive(value.year, value.month, value.day)
    return shown if shown >= naive(1900, 3, 1) else value.isoformat()


def _money(value: Decimal) -> Any:
    digits = f"{value:.2f}".rstrip("0").replace("-", "").replace(".", "").lstrip("0")
    return float(value) if len(digits) <= 15 else f"{value:.2f}"


def _seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


#: Arrow type, values of it, and what a reader of the file must see for one of them.
_KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any], Callable[[Any], Any]]] = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1), _number_or_text),
    (pa.uint64(), st.integers(0, 2**64 - 1), _number_or_text),
    (pa.int16(), st.integers(-(2**15), 2**15 - 1), _number_or_text),
    (pa.float64(), st.floats(), _float),
    (pa.bool_(), st.booleans(), bool),
    (pa.decimal128(20, 2), st.decimals(-(10**17), 10**17, places=2), _money),
    (pa.string(), st.text(st.characters(exclude_categories=["Cs"])), str),
    (pa.large_string(), st.text("_x005F<&\x01 \n"), str),
    (pa.date32(), st.dates(), _day),
    # To the second: openpyxl rounds, and a serial number holds milliseconds at best.
    (pa.timestamp("us"), st.datetimes().map(lambda at: at.replace(microsecond=0)), _stamp),
    (pa.duration("s"), st.integers(0, 10**9).map(_seconds), lambda span: span),
    (pa.null(), st.none(), lambda none: none),
]


@st.composite
def _tables(draw: st.DrawFn) -> tuple[pa.Table, list[list[Any]]]:
    rows = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from(_KINDS), min_size=1, max_size=6))
    columns, shown = [], [list(range(rows))]
    for kind, values, show in kinds:
        column = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        columns.append(pa.array(column, kind))
        shown.append([None if value is None else show(value) for value in column])
    names = [f"c{number}" for number in range(len(kinds))]
    table = pa.Table.from_arrays([pa.array(range(rows)), *columns], names=["row", *names])
    return table, [list(row) for row in zip(*shown, strict=True)]


def _close(found: Any, wanted: Any) -> bool:
    """Equal; times to the second, since openpyxl computes with days as floats."""
    if isinstance(wanted, datetime | timedelta) and type(found) is type(wanted):
        return bool(abs(found - wanted) <= timedelta(seconds=0.5))
    return bool(found == wanted)


@given(_tables(), st.integers(1, 12))
@examples(60)
def test_openpyxl_reads_back_every_table(
    made: tuple[pa.Table, list[list[Any]]], batch_rows: int
) -> None:
    table, wanted = made
    data, tally = encode(table, Layout(title="Any"), batch_rows=batch_rows)
    found = read_openpyxl(data)["Any"][1:]
    assert tally.rows == len(found) == len(wanted)
    wrong = [
        pair
        for row in zip(found, wanted, strict=True)
        for pair in zip(*row, strict=True)
        if not _close(*pair)
    ]
    assert wrong == []
