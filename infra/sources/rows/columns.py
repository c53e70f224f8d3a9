"""Converting a Python driver's rows to Arrow columns, in bounded batches.

Values are taken as the driver returns them, without SQLAlchemy's result processing: an
enum is the text that is stored, JSON is its text. So every source exports the same thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from operator import itemgetter
from sys import getsizeof
from typing import Any

import pyarrow as pa

from waybill.infra.sources.arrow_types import HEXADECIMAL, INSTANT, TIMESTAMP, text_of
from waybill.infra.sources.batches import MAX_BYTES, MAX_ROWS
from waybill.infra.sources.errors import SourceRejected

Row = Sequence[Any]

#: Rows asked of the driver at once. It begins with one and doubles, and falls back to one
#: after a large row, so a run of 10 MB texts costs one row more than the bound and not 5,000.
_MAX_STEP = 32
_LARGE_BYTES = MAX_BYTES // 8

#: What Python adds to the content of a value. Sizes are estimated: to ask each value whether
#: it has a length takes more than twice as long (0.33 s against 0.13 s for 5 M cells).
_OVERHEAD = getsizeof(b"")

#: Arrow takes other Python types than these for the same columns, and cuts their values to
#: fit without a word: 2.5 becomes 2, and a timestamp its day (measured).
_SILENTLY_CUT = {pa.int64(): int, pa.date32(): date, TIMESTAMP: datetime, INSTANT: datetime}

#: What Arrow raises for values that are not of the type asked for.
ARROW_REFUSED = (ValueError, TypeError, OverflowError, ArithmeticError)


class NotAsDeclared(Exception):
    """A value is not what its column declares, where that was assumed; see `RowSession.plan`."""


@dataclass(frozen=True, slots=True)
class RowColumn:
    """One column: what it becomes, and through which Arrow types its values get there."""

    field: pa.Field
    #: Types to go through before that of `field`; the first takes the driver's own values.
    through: tuple[pa.DataType, ...] = ()
    #: The text of a value, for a string column that was declared as something else.
    text: Callable[[Any], str] | None = None
    #: For a column of texts, where bytes that are no text are to be counted: the types of values
    #: that are not, too; empty where all are text.
    text_types: tuple[type, ...] | None = None

    @property
    def fixed_bytes(self) -> int:
        """What one value takes in Arrow; 0 where that is up to the value."""
        arrow_type = self.field.type
        if arrow_type in (pa.string(), pa.binary()):
            return 0
        return max(int(arrow_type.bit_width) // 8, 1)

    def array(self, values: Sequence[Any]) -> pa.Array:
        """`values` as one array: by Arrow at once, or where it refuses, value by value.

        Raises:
            SourceRejected: a value does not fit the declared type, and must not be changed to fit.
        """
        if self.text is not None:
            return self._one_by_one(values)
        first, *rest = (*self.through, self.field.type)
        expected = _SILENTLY_CUT.get(first)
        if expected is not None and not set(map(type, values)) <= {expected, type(None)}:
            return self._one_by_one(values)
        try:
            array = pa.array(values, first)
            for arrow_type in rest:
                array = array.cast(arrow_type)
        except ARROW_REFUSED:
            return self._one_by_one(values)
        return array

    def made_text(self, values: Sequence[Any], array: pa.Array) -> int:
        """How many of `values`, of which `array` was made, are text in it and nowhere else."""
        if self.text_types is None:
            return 0
        # It takes its time to load, and many sources have no such column.
        import pyarrow.compute as pc

        others: set[type] = set()
        if self.text_types:
            others = set(map(type, values)) - {type(None), *self.text_types}
        # Bytes that are no text begin like this, and so may a text.
        if not others and not pc.any(pc.starts_with(array, HEXADECIMAL)).as_py():
            return 0
        return sum(type(value) in others or not is_text(value) for value in values)

    def _one_by_one(self, values: Sequence[Any]) -> pa.Array:
        convert = self.text or next(
            convert for applies, convert in _CONVERSIONS if applies(self.field.type)
        )
        try:
            return pa.array(
                [None if value is None else convert(value) for value in values], self.field.type
            )
        except ARROW_REFUSED:
            raise SourceRejected(
                f"Column {self.field.name!r} holds a value that does not fit its declared type."
            ) from None


def is_text(value: Any) -> bool:
    """Whether a text column may hold `value` as it is: no bytes, or bytes that are UTF-8."""
    try:
        return not isinstance(value, bytes) or value.decode() is not None
    except UnicodeDecodeError:
        return False


def _raw(value: Any) -> bytes:
    # Not `bytes(value)`, which makes five zero bytes out of a 5.
    return value.encode() if isinstance(value, str) else memoryview(value).tobytes()


def _truth(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError
    return bool(value)


def _whole(value: Any) -> int:
    # MySQL's sum() of integers is a decimal.
    number = int(value)
    if number != value:
        raise ValueError
    return number


def _real(value: Any) -> float:
    number = float(value)
    if isinstance(value, int) and int(number) != value:
        raise ValueError
    return number


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        if value.time() != time.min:
            raise ValueError
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(value)


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _clock(value: Any) -> time:
    return value if isinstance(value, time) else time.fromisoformat(text_of(value))


#: How a driver's value may be changed to fit a type without changing what it says.
_CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]], ...] = (
    (pa.types.is_string, text_of),
    (pa.types.is_binary, _raw),
    (pa.types.is_boolean, _truth),
    (pa.types.is_integer, _whole),
    (pa.types.is_floating, _real),
    (pa.types.is_decimal, lambda value: Decimal(str(value))),
    (pa.types.is_date, _day),
    (pa.types.is_timestamp, _moment),
    (pa.types.is_time, _clock),
)


def batches(
    fetch: Callable[[int], Sequence[Row]],
    columns: Sequence[RowColumn],
    made_text: Counter[int] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of at most `MAX_ROWS` rows, closed when they have taken about `MAX_BYTES`.

    ``fetch(n)`` returns up to `n` more rows, and nothing at the end. `made_text`
    sums what `RowColumn.made_text` counts, by the column's position.
    """
    made_text = Counter() if made_text is None else made_text
    schema = pa.schema([column.field for column in columns])
    fixed_bytes = sum(column.fixed_bytes for column in columns)
    wide = [
        itemgetter(position) for position, column in enumerate(columns) if not column.fixed_bytes
    ]
    rows: list[Row] = []
    size = 0
    step = 1
    while fetched := fetch(min(step, MAX_ROWS - len(rows))):
        rows.extend(fetched)
        fetched_bytes = fixed_bytes * len(fetched)
        for cell in wide:
            fetched_bytes += sum(map(getsizeof, map(cell, fetched))) - _OVERHEAD * len(fetched)
        size += fetched_bytes
        step = 1 if fetched_bytes > _LARGE_BYTES else min(2 * step, _MAX_STEP)
        if len(rows) >= MAX_ROWS or size >= MAX_BYTES:
            yield record_batch(zip(*rows, strict=True), columns, schema, made_text)
            rows, size = [], 0
    if rows:
        yield record_batch(zip(*rows, strict=True), columns, schema, made_text)


def record_batch(
    values_by_column: Iterable[Sequence[Any]],
    columns: Sequence[RowColumn],
    schema: pa.Schema,
    made_text: Counter[int],
) -> pa.RecordBatch:
    """The values of each column as one batch; `made_text` as in `batches`.

    Raises:
        SourceRejected: a value does not fit the declared type.
    """
    arrays = arrays_of(values_by_column, columns, made_text)
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def arrays_of(
    values_by_column: Iterable[Sequence[Any]],
    columns: Sequence[RowColumn],
    made_text: Counter[int],
) -> list[pa.Array]:
    """The values of each column as one array; `made_text` as in `batches`.

    Raises:
        SourceRejected: a value does not fit the declared type.
        NotAsDeclared: the same of a column that was assumed to have it.
    """
    arrays = []
    for position, (column, values) in enumerate(zip(columns, values_by_column, strict=True)):
        array = column.array(values)
        if found := column.made_text(values, array):
            made_text[position] += found
        arrays.append(array)
    return arrays
