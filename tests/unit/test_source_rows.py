"""From driver rows to bounded Arrow batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from waybill.infra.sources.arrow_types import (
    DECIMAL_TEXT,
    TIME,
    decimal_field,
    declared_field,
    seen_field,
    text_of,
)
from waybill.infra.sources.batches import MAX_BYTES, MAX_ROWS, slices
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.rows.columns import RowColumn, batches


class Driver:
    """A cursor over `rows` that remembers how many it was asked for at once."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self._rows = list(rows)
        self.asked: list[int] = []

    def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        self.asked.append(count)
        some, self._rows = self._rows[:count], self._rows[count:]
        return some


def column(kind: pa.DataType) -> RowColumn:
    return RowColumn(pa.field("x", kind))


def test_batches_hold_every_row_once_and_never_too_many():
    driver = Driver([(n,) for n in range(2 * MAX_ROWS + 1)])

    made = list(batches(driver.fetch, [column(pa.int64())]))

    assert [batch.num_rows for batch in made] == [MAX_ROWS, MAX_ROWS, 1]
    assert pa.Table.from_batches(made)["x"].to_pylist() == list(range(2 * MAX_ROWS + 1))


def test_a_run_of_large_values_is_fetched_one_by_one():
    large = "x" * MAX_BYTES
    driver = Driver([("small",)] * 1000 + [(large,)] * 50)

    made = list(batches(driver.fetch, [column(pa.string())]))

    # One step was under way when the large ones began; after that each is asked for alone.
    assert max(driver.asked) == 32
    assert driver.asked[-18:] == [1] * 18
    assert max(batch.nbytes for batch in made[1:]) < 2 * MAX_BYTES


def test_no_rows_are_no_batches():
    assert list(batches(Driver([]).fetch, [column(pa.int64())])) == []


def test_a_large_batch_is_cut_without_losing_a_row():
    batch = pa.RecordBatch.from_pydict({"x": range(2 * MAX_ROWS + 5)})

    assert [piece.num_rows for piece in slices(batch)] == [MAX_ROWS, MAX_ROWS, 5]
    assert list(slices(batch.slice(0, 0))) == []


@pytest.mark.parametrize(
    ("kind", "values", "arrives"),
    [
        (pa.string(), ["a", None, 7, 2.5, True], ["a", None, "7", "2.5", "true"]),
        (pa.string(), [b"ok", b"\xff"], ["ok", "\\xff"]),
        (pa.string(), ["lone \ud800 surrogate"], ["lone ? surrogate"]),
        (pa.binary(), ["é", memoryview(b"a"), 5 * b"b"], ["é".encode(), b"a", b"bbbbb"]),
        (pa.bool_(), [1, 0, None], [True, False, None]),
        (pa.int64(), [Decimal(3), 4.0, None, True], [3, 4, None, 1]),
        (pa.date32(), [dt.datetime(2024, 2, 29, tzinfo=dt.UTC)], [dt.date(2024, 2, 29)]),
        (pa.float64(), [Decimal("0.5"), 1], [0.5, 1.0]),
        (pa.decimal128(9, 2), [1.5, "2.25", 3], [Decimal("1.50"), Decimal("2.25"), Decimal(3)]),
        (TIME, [b"10:00:00.5", dt.time(1)], [dt.time(10, 0, 0, 500_000), dt.time(1)]),
    ],
)
def test_a_value_of_another_type_is_taken_for_what_it_says(kind, values, arrives):
    array = column(kind).array(values)

    assert array.type == kind
    assert array.to_pylist() == arrives


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.bool_(), 2),
        (pa.int64(), 2**63),
        (pa.int64(), Decimal("0.5")),
        (pa.int64(), 2.5),
        (pa.float64(), 2**53 + 1),
        (pa.binary(), 5),
        (pa.int64(), "two"),
        (pa.date32(), dt.datetime(2024, 2, 29, 1, tzinfo=dt.UTC)),
        (pa.timestamp("us"), 5),
        (pa.decimal128(4, 2), Decimal("0.123")),
        (pa.decimal128(4, 2), Decimal("123.45")),
        (pa.date32(), "0000-00-00"),
        (pa.timestamp("us"), "yesterday"),
    ],
)
def test_a_value_that_would_have_to_be_changed_is_refused(kind, value):
    with pytest.raises(SourceRejected, match="'x' holds a value that does not fit"):
        column(kind).array([value])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), "NaN"),
        (float("-inf"), "-Infinity"),
        (0.1, "0.1"),
        (memoryview(b"abc"), "abc"),
        ({"é": [1, None, Decimal("0.5")]}, '{"é":[1,null,"0.5"]}'),
        (dt.timedelta(hours=-30), "PT-30H"),
        (dt.datetime(2024, 2, 29, 1, tzinfo=dt.UTC), "2024-02-29T01:00:00+00:00"),
        (dt.date(2024, 2, 29), "2024-02-29"),
    ],
)
def test_the_text_of_a_value_says_exactly_what_it_is(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("precision", "scale", "kind"),
    [
        (12, 2, pa.decimal128(12, 2)),
        (38, 0, pa.decimal128(38, 0)),
        (5, -2, pa.decimal128(7, 0)),
        (2, 5, pa.decimal128(5, 5)),
        (39, 0, None),
        (None, None, None),
    ],
)
def test_a_decimal_has_a_fixed_scale_or_is_text_that_says_so(precision, scale, kind):
    field = decimal_field("x", precision, scale)

    expected = pa.field("x", pa.string(), metadata=DECIMAL_TEXT) if kind is None else None
    assert field.equals(expected or pa.field("x", kind), check_metadata=True)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (set(), pa.string()),
        ({int}, pa.int64()),
        ({dt.datetime}, pa.timestamp("us")),
        ({int, str}, pa.string()),
        ({dt.date, dt.datetime}, pa.string()),
        ({bytes}, pa.binary()),
    ],
)
def test_an_undeclared_column_has_the_type_its_values_share(seen, kind):
    assert seen_field("x", seen) == pa.field("x", kind)


def test_numbers_of_several_kinds_are_decimals():
    assert seen_field("x", {int, Decimal}).metadata == DECIMAL_TEXT


def test_what_is_stored_counts_and_not_what_python_makes_of_it():
    class Cents(sa.TypeDecorator[Decimal]):
        impl = sa.Integer
        cache_ok = True

    kinds: list[tuple[sa.types.TypeEngine[Any], Callable[[pa.DataType], bool]]] = [
        (Cents(), pa.types.is_int64),
        (sa.Double(asdecimal=True), pa.types.is_float64),
        (sa.Uuid(), pa.types.is_string),
        (sa.JSON(), pa.types.is_string),
    ]
    dialect = sa.create_mock_engine("sqlite://", lambda *_: None).dialect

    for kind, is_right in kinds:
        assert is_right(declared_field("x", kind, dialect).type)
    assert declared_field("x", sa.types.NULLTYPE, dialect) is None
