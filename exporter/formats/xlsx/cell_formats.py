"""Cell formats: how a column is shown, by what it was declared as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from waybill.exporter.datasets.layout import Column
from waybill.exporter.formats.xlsx.cells import CellFormat, Cells, Warn
from waybill.exporter.formats.xlsx.declared_cells import (
    boolean_text_cells,
    date_text_cells,
    instant_text_cells,
    interval_text_cells,
    time_text_cells,
    timestamp_text_cells,
)
from waybill.exporter.formats.xlsx.number_cells import (
    MAX_DECLARED_PLACES,
    NUMBERS_BY_PLACES,
    boolean_cells,
    decimal_cells,
    float_cells,
    float_text_cells,
    integer_cells,
    number_format,
    numeric_text_cells,
)
from waybill.exporter.formats.xlsx.text_cells import text_cells
from waybill.exporter.formats.xlsx.time_cells import (
    DURATIONS,
    TIMES,
    TIMESTAMPS,
    date_cells,
    duration_cells,
    time_cells,
    timestamp_cells,
)
from waybill.exporter.values.cell_columns import CellColumn, ValueKind, cell_texts, value_type
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_kind, declared_scale
from waybill.exporter.warning_rules import WarningRule

#: Excel's format for "leave what I type alone": an edited identifier keeps its zeros.
_AS_TEXT = "@"
#: Excel shows TRUE and FALSE in the user's language whatever the format; LibreOffice shows 1
#: and 0 unless it finds this one, which it writes itself.
_BOOLEAN = '"TRUE";"TRUE";"FALSE"'


def cell_format_for(field: pa.Field, settings: Column, zone: ZoneInfo) -> CellFormat:
    """The cell format of column `field`, which depends on its declaration and on no value."""
    if settings.as_text:
        return CellFormat(partial(_any_as_text, zone=zone), (_AS_TEXT,), is_text=True)
    how = _How(field, zone, rounded=settings.number == "float")
    declared = declared_kind(field)
    if declared is not None:
        return _DECLARED.get(declared, _text_format)(how)
    kind = value_type(field.type)
    for applies, build in _FORMATS:
        if applies(kind):
            return build(how)
    return CellFormat(partial(_any_as_text, zone=zone), is_text=True)


def plain_array(array: pa.Array) -> pa.Array:
    """`array` without extension, dictionary and run-end wrappings, as `value_type` says."""
    kind = array.type
    if isinstance(kind, pa.UuidType):
        return array
    if isinstance(kind, pa.BaseExtensionType):
        return plain_array(array.storage)
    if pa.types.is_dictionary(kind):
        return plain_array(array.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return plain_array(pc.run_end_decode(array))
    return array


def exact_texts(array: pa.Array, zone: ZoneInfo) -> pl.Series:
    """The text of each value as CSV would hold it too, whatever the type."""
    column = CellColumn("0", name="", label="", kind=ValueKind.TEXT, as_text=True)
    return cell_texts(pa.table([array], names=["0"]), (column,), zone).to_series()


def _any_as_text(array: pa.Array, warn: Warn, zone: ZoneInfo) -> list[Cells]:
    return text_cells(exact_texts(array, zone).to_arrow(), warn)


def _no_cells(array: pa.Array, warn: Warn) -> list[Cells]:
    return []


def _binary_cells(array: pa.Array, warn: Warn, zone: ZoneInfo) -> list[Cells]:
    warn(WarningRule.BINARY_AS_BASE64, pl.Series(array.is_valid()))
    return _any_as_text(array, warn, zone)


@dataclass(frozen=True, slots=True)
class _How:
    """What the cell format of a column may depend on."""

    field: pa.Field
    zone: ZoneInfo
    #: Whether numbers that Excel cannot keep may be rounded.
    rounded: bool


def _integer_format(how: _How) -> CellFormat:
    return CellFormat(partial(integer_cells, rounded=how.rounded), ("0",), align="right")


def _float_format(how: _How) -> CellFormat:
    return CellFormat(float_cells, NUMBERS_BY_PLACES, align="right", width=12)


def _decimal_format(how: _How) -> CellFormat:
    cells = partial(decimal_cells, rounded=how.rounded)
    return CellFormat(cells, _decimal_formats(how.field) or NUMBERS_BY_PLACES, align="right")


def _numeric_text_format(how: _How) -> CellFormat:
    formats = _decimal_formats(how.field)
    scale = declared_scale(how.field) if formats else None
    cells = partial(numeric_text_cells, scale=scale, rounded=how.rounded)
    return CellFormat(cells, formats + NUMBERS_BY_PLACES, align="right")


def _decimal_formats(field: pa.Field) -> tuple[str, ...]:
    """The one format of a declared scale; none where there is none, or too large a one."""
    scale = declared_scale(field)
    if scale is None or scale > MAX_DECLARED_PLACES:
        return ()
    return (number_format(scale),)


def _timestamp_format(how: _How) -> CellFormat:
    return CellFormat(partial(timestamp_cells, zone=how.zone), TIMESTAMPS, width=20)


def _interval_cells(array: pa.Array, warn: Warn, zone: ZoneInfo) -> list[Cells]:
    return interval_text_cells(exact_texts(array, zone).to_arrow(), warn)


def _text_format(how: _How) -> CellFormat:
    return CellFormat(text_cells, is_text=True)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


_BINARY_TESTS = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)

_BOOLEANS = CellFormat(boolean_cells, (_BOOLEAN,), align="center", width=8)
_DATES = CellFormat(date_cells, ("yyyy-mm-dd",), width=10)
#: Wide enough for digits of a second's fraction, which may come in any row.
_TIME_WIDTH = 10
_DURATIONS = CellFormat(duration_cells, DURATIONS, align="right", width=_TIME_WIDTH)

_Build = Callable[[_How], CellFormat]

#: From the most frequent types to the rarest.
_FORMATS: tuple[tuple[Callable[[pa.DataType], bool], _Build], ...] = (
    (_is_text, _text_format),
    (pa.types.is_integer, _integer_format),
    (pa.types.is_floating, _float_format),
    (pa.types.is_decimal, _decimal_format),
    (pa.types.is_boolean, lambda how: _BOOLEANS),
    (pa.types.is_date, lambda how: _DATES),
    (pa.types.is_timestamp, _timestamp_format),
    (pa.types.is_time, lambda how: CellFormat(time_cells, TIMES, width=_TIME_WIDTH)),
    (pa.types.is_duration, lambda how: _DURATIONS),
    (
        pa.types.is_interval,
        lambda how: replace(_DURATIONS, cells=partial(_interval_cells, zone=how.zone)),
    ),
    (pa.types.is_null, lambda how: CellFormat(_no_cells, width=8)),
    (
        lambda kind: any(test(kind) for test in _BINARY_TESTS),
        lambda how: CellFormat(partial(_binary_cells, zone=how.zone), is_text=True),
    ),
)

#: String columns whose source says what they hold.
_DECLARED: dict[DeclaredKind, _Build] = {
    DeclaredKind.INTEGER: lambda how: CellFormat(
        partial(numeric_text_cells, rounded=how.rounded), NUMBERS_BY_PLACES, align="right"
    ),
    DeclaredKind.DECIMAL: _numeric_text_format,
    DeclaredKind.FLOAT: lambda how: replace(_float_format(how), cells=float_text_cells),
    DeclaredKind.BOOLEAN: lambda how: replace(_BOOLEANS, cells=boolean_text_cells),
    DeclaredKind.DATE: lambda how: replace(_DATES, cells=date_text_cells),
    DeclaredKind.TIME: lambda how: CellFormat(
        time_text_cells, TIMES + DURATIONS, width=_TIME_WIDTH
    ),
    DeclaredKind.TIMESTAMP: lambda how: replace(
        _timestamp_format(how), cells=partial(timestamp_text_cells, zone=how.zone)
    ),
    DeclaredKind.INSTANT: lambda how: replace(
        _timestamp_format(how), cells=partial(instant_text_cells, zone=how.zone)
    ),
    DeclaredKind.INTERVAL: lambda how: replace(_DURATIONS, cells=interval_text_cells),
}
