"""FC01, FC06, FC12, FC15, FC32: string columns that say what they really hold, with exceptions."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as


def _column(kind: DeclaredKind, *texts: str | None, **marks: Any) -> pa.Table:
    field = pa.field("value", pa.string(), metadata=declared_as(kind, **marks))
    return pa.table([pa.array(texts)], schema=pa.schema([field]))


def _stamp(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)


#: By name: the column, what a reader of a workbook finds, and what is counted.
DECLARED: dict[str, tuple[pa.Table, list[Any], dict[str, int]]] = {
    "integers": (
        _column(DeclaredKind.INTEGER, "1", "-7", "007", "n/a", "1.5", "12345678901234567890", None),
        [1, -7, "007", "n/a", 1.5, "12345678901234567890", None],
        {"type_as_text": 2, "long_number_as_text": 1},
    ),
    "decimals": (
        _column(DeclaredKind.DECIMAL, "12.10", "NaN", "-Infinity", "00.5", "1e+20", "abc", scale=2),
        [12.1, "NaN", "-Infinity", "00.5", 1e20, "abc"],
        {"not_finite_as_text": 2, "type_as_text": 2},
    ),
    "floats": (
        _column(DeclaredKind.FLOAT, "0.3333333333333333", "1e-07", "Infinity", "5e-324", "x", "3"),
        [1 / 3, 1e-07, "Infinity", "5e-324", "x", 3],
        {"not_finite_as_text": 1, "tiny_number_as_text": 1, "type_as_text": 1},
    ),
    "booleans": (
        _column(DeclaredKind.BOOLEAN, "true", "false", "2", None),
        [True, False, "2", None],
        {"type_as_text": 1},
    ),
    "dates": (
        _column(
            DeclaredKind.DATE, "2024-01-01", "infinity", "0044-03-15 BC", "20000-01-01",
            "0000-00-00", "2024-02-00", "1800-01-01", "x<y", None,
        ),
        [
            _stamp(2024, 1, 1), "infinity", "0044-03-15 BC", "20000-01-01",
            "0000-00-00", "2024-02-00", "1800-01-01", "x<y", None,
        ],
        {"date_as_text": 6, "type_as_text": 1},
    ),
    "times": (
        _column(DeclaredKind.TIME, "08:00:00", "08:00:00.25", "24:00:00", "36:15:00", "-01:30:00"),
        [
            time(8), time(8, 0, 0, 250_000), "24:00:00",
            timedelta(hours=36, minutes=15), "-01:30:00",
        ],
        {"date_as_text": 1, "duration_as_text": 1},
    ),
    "timestamps": (
        _column(
            DeclaredKind.TIMESTAMP, "2024-01-02T10:00:00", "2024-01-02 10:00:00.25", "-infinity",
            "2024-01-02T10:00Z", "0000-00-00 00:00:00",
        ),
        [
            _stamp(2024, 1, 2, 10), _stamp(2024, 1, 2, 10, 0, 0, 250_000), "-infinity",
            "2024-01-02T10:00Z", "0000-00-00 00:00:00",
        ],
        {"date_as_text": 2, "type_as_text": 1},
    ),
    "instants": (
        _column(
            DeclaredKind.INSTANT, "2024-07-01T10:00:00+00:00", "2024-07-01 10:00:00Z",
            "2024-07-01 10:00:00+02", "infinity", "2024-10-27T00:30:00Z", "2024-07-01 10:00:00",
            "1899-07-01 10:00:00Z", "2999-07-01 10:00:00Z", "2101-10-30 00:30:00Z",
        ),
        [
            _stamp(2024, 7, 1, 12), _stamp(2024, 7, 1, 12), _stamp(2024, 7, 1, 10), "infinity",
            "2024-10-27T02:30:00+02:00", "2024-07-01 10:00:00",
            "1899-07-01T11:00:00+01:00", _stamp(2999, 7, 1, 12), "2101-10-30T02:30:00+02:00",
        ],
        {"date_as_text": 2, "ambiguous_time_as_text": 2, "type_as_text": 1},
    ),
    "intervals": (
        _column(
            DeclaredKind.INTERVAL, "36:15:00", "PT36H15M", "P1DT12H", "-01:30:00", "PT-1H-30M",
            "P1M-2D", "P1DT-3H", "PT0.5S", "00:00:00", "soon",
            "1 day 12:00:00.5", "2 days", "1 mon -2 days", "1 day -03:00:00", "-1 days -01:00:00",
            "00:00:60", "1 day late",
        ),
        [
            timedelta(hours=36, minutes=15), timedelta(hours=36, minutes=15), timedelta(hours=36),
            "-01:30:00", "-01:30:00", "P1M-2D", "P1DT-3H", timedelta(seconds=0.5), timedelta(0),
            "soon",
            timedelta(hours=36, seconds=0.5), timedelta(days=2), "1 mon -2 days", "1 day -03:00:00",
            "-25:00:00", "00:00:60", "1 day late",
        ],
        {"duration_as_text": 7, "type_as_text": 3},
    ),
}  # fmt: skip
