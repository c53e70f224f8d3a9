"""Cell formats: how a column is shown, by its Arrow type and its first rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from waybill.exporter.formats.xlsx.cells import CellFormat, Cells, Warn
from waybill.exporter.formats.xlsx.number_cells import (
    boolean_cells,
    decimal_cells,
    decimal_text_cells,
    float_cells,
    integer_cells,
)
from waybill.exporter.formats.xlsx.text_cells import text_cells
from waybill.exporter.formats.xlsx.time_cells import (
    date_cells,
    duration_cells,
    has_fractions,
    time_cells,
    timestamp_cells,
)
from waybill.exporter.values.cell_columns import (
    CellColumn,
    ValueKind,
    cell_texts,
    kind_of,
    value_type,
)
from waybill.exporter.warning_rules import WarningRule

#: Excel's format for "leave what I type alone": an edited identifier keeps its zeros.
_AS_TEXT = "@"
#: Excel shows TRUE and FALSE in the user's language whatever the format; LibreOffice shows 1
#: and 0 unless it finds this one, which it writes itself.
_BOOLEAN = '"TRUE";"TRUE";"FALSE"'
#: Most decimal places worth showing by default; the cell holds all of them anyway.
_MAX_PLACES = 8


def cell_format_for(
    field: pa.Field, sample: pa.Array, zone: ZoneInfo, *, as_text: bool
) -> CellFormat:
    """The cell format of column `field`, whose first values are `sample`."""
    values = plain_array(sample)
    if as_text:
        return CellFormat(partial(_any_as_text, zone=zone), number_format=_AS_TEXT)
    if kind_of(field) is ValueKind.DECIMAL_TEXT:
        number_format = _decimal_format(_places(values))
        return CellFormat(decimal_text_cells, number_format, align="right")
    kind = value_type(field.type)
    for applies, build in _FORMATS:
        if applies(kind):
            return build(values, zone)
    return CellFormat(partial(_any_as_text, zone=zone))


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


def _binary_cells(array: pa.Array, warn: Warn, zone: ZoneInfo) -> list[Cells]:
    warn(WarningRule.BINARY_AS_BASE64, len(array) - array.null_count)
    return _any_as_text(array, warn, zone)


def _places(texts: pa.Array) -> int:
    longest = pl.Series(texts).str.extract(r"\.([0-9]+)$").str.len_bytes().max()
    return longest or 0  # type: ignore[return-value]


def _decimal_format(places: int) -> str:
    if places > _MAX_PLACES:
        return ""
    return f"#,##0.{'0' * places}" if places else "0"


def _timestamp_format(sample: pa.Array, zone: ZoneInfo) -> CellFormat:
    fraction = ".000" if has_fractions(sample) else ""
    width = 19 + len(fraction)
    return CellFormat(
        partial(timestamp_cells, zone=zone), f"yyyy-mm-dd hh:mm:ss{fraction}", width=width
    )


def _time_format(sample: pa.Array, zone: ZoneInfo) -> CellFormat:
    fraction = ".000" if has_fractions(sample) else ""
    return CellFormat(time_cells, f"hh:mm:ss{fraction}", width=8 + len(fraction))


def _duration_format(sample: pa.Array, zone: ZoneInfo) -> CellFormat:
    fraction = ".000" if has_fractions(sample) else ""
    return CellFormat(
        duration_cells, f"[h]:mm:ss{fraction}", align="right", width=9 + len(fraction)
    )


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

#: From the most frequent types to the rarest.
_FORMATS: tuple[
    tuple[Callable[[pa.DataType], bool], Callable[[pa.Array, ZoneInfo], CellFormat]], ...
] = (
    (_is_text, lambda sample, zone: CellFormat(text_cells)),
    (pa.types.is_integer, lambda sample, zone: CellFormat(integer_cells, "0", align="right")),
    (pa.types.is_floating, lambda sample, zone: CellFormat(float_cells, align="right", width=12)),
    (
        pa.types.is_decimal,
        lambda sample, zone: CellFormat(
            decimal_cells, _decimal_format(max(sample.type.scale, 0)), align="right"
        ),
    ),
    (
        pa.types.is_boolean,
        lambda sample, zone: CellFormat(boolean_cells, _BOOLEAN, align="center", width=8),
    ),
    (pa.types.is_date, lambda sample, zone: CellFormat(date_cells, "yyyy-mm-dd", width=10)),
    (pa.types.is_timestamp, _timestamp_format),
    (pa.types.is_time, _time_format),
    (pa.types.is_duration, _duration_format),
    (pa.types.is_null, lambda sample, zone: CellFormat(lambda array, warn: [], width=8)),
    (
        lambda kind: any(test(kind) for test in _BINARY_TESTS),
        lambda sample, zone: CellFormat(partial(_binary_cells, zone=zone)),
    ),
)
