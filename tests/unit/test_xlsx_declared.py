"""A column's type is declared, and a value is an exception: typed cells beside a text cell."""

from __future__ import annotations

import io
import math
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import polars as pl
import pyarrow as pa
import pytest

from tests.corpus.case import ZONE
from tests.corpus.declared_cells import DECLARED
from tests.support.workbooks import column_values, encode, parts, read_openpyxl
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as
from waybill.exporter.values.repeated_hours import repeated


def _is_same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, timedelta) and isinstance(found, timedelta):
        return abs(found - wanted) < timedelta(milliseconds=1)
    if isinstance(wanted, float) and isinstance(found, int | float):
        return math.isclose(found, wanted, rel_tol=1e-15)
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


@pytest.mark.parametrize("name", DECLARED)
def test_values_of_the_kind_are_typed_and_others_are_text(name: str) -> None:
    column, wanted, counted = DECLARED[name]
    table = column.append_column("row", pa.array(range(column.num_rows)))
    data, tally = encode(table, Layout(timezone=ZONE), batch_rows=1)
    found = column_values(read_openpyxl(data)["Export"])
    assert [pair for pair in zip(found, wanted, strict=True) if not _is_same(*pair)] == []
    assert {rule: count for (_, rule), count in tally.warnings.items()} == counted


def test_a_column_of_instants_names_the_zone_it_is_shown_in() -> None:
    column, _, _ = DECLARED["instants"]
    assert read_openpyxl(encode(column, Layout(timezone=ZONE))[0])["Export"][0] == [
        "value (Europe/Berlin)"
    ]


def test_long_numbers_can_be_rounded_by_choice() -> None:
    """FC21"""
    field = pa.field("value", pa.string(), metadata=declared_as(DeclaredKind.DECIMAL, scale=4))
    texts = pa.array(["10.0000", "1234567890123.4567"])
    table = pa.table([texts], schema=pa.schema([field])).append_column("id", pa.array([1, 2**62]))
    columns = {name: Column(number="float") for name in table.column_names}
    data, tally = encode(table, Layout(columns=columns))
    assert read_openpyxl(data)["Export"][2] == [1234567890123.4567, 2**62]
    assert dict(tally.warnings) == {("value", "number_rounded"): 1, ("id", "number_rounded"): 1}


def test_fc15_a_value_with_more_places_than_declared_shows_them_all() -> None:
    texts = ["12.10", "0.125", "3", "0.10", "1e+20", "0.5000"]
    field = pa.field("value", pa.string(), metadata=declared_as(DeclaredKind.DECIMAL, scale=2))
    data, _ = encode(pa.table([pa.array(texts)], schema=pa.schema([field])))
    [sheet] = openpyxl.load_workbook(io.BytesIO(data)).worksheets
    formats = [cell.number_format for (cell,) in sheet.iter_rows(min_row=2)]
    assert formats == ["0.00", "0.000", "0.00", "0.00", "General", "0.00"]


def test_only_columns_of_text_hide_that_a_number_is_text() -> None:
    """FC21"""
    table = pa.table({"a": ["1"], "b": ["2"], "n": [2**62], "c": ["3"], "d": [1]})
    sheet = parts(encode(table)[0])["xl/worksheets/sheet1.xml"]
    assert b'<ignoredError sqref="A1:B2 D1:D2" numberStoredAsText="1"/>' in sheet
    assert b"ignoredError" not in parts(encode(table.select(["n"]))[0])["xl/worksheets/sheet1.xml"]


@pytest.mark.parametrize(
    "zone",
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tokyo"],
)
@pytest.mark.parametrize("year", [1969, 1985, 2024, 2036, 2050])
def test_repeated_hours_are_those_of_python(zone: str, year: int) -> None:
    start = datetime(year, 1, 1, tzinfo=UTC)
    instants = [start + timedelta(minutes=7 * number) for number in range(75_000)]
    local = [instant.astimezone(ZoneInfo(zone)) for instant in instants]
    wanted = [
        at.utcoffset() != at.replace(fold=1 - at.fold).utcoffset() and _exists(at) for at in local
    ]
    counts = pl.Series(instants, dtype=pl.Datetime("us", "UTC")).cast(pl.Int64)
    found = repeated(counts, zone)
    assert (found.to_list() if found is not None else [False] * len(counts)) == wanted


def _exists(local: datetime) -> bool:
    back = local.astimezone(UTC).astimezone(local.tzinfo)
    return back.replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0)
