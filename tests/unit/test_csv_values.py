"""What is written for values whose text other exporters get wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from tests.support.encoded import encode_table
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.errors import LimitExceeded
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.formats.csv.profiles import MACHINE


def written(values: list[Any], kind: pa.DataType, **layout: Any) -> list[str]:
    """The fields, as they stand in the file, of a column of `kind`."""
    table = pa.table({"value": pa.array(values, kind), "row": range(len(values))})
    data, _ = encode_table(csv_encoder(MACHINE), table, Layout(**layout))
    return [line.rpartition(",")[0] for line in data.decode().splitlines()[1:]]


def test_an_empty_string_is_quoted_and_null_is_nothing():
    assert written(["", None, "a"], pa.string()) == ['""', "", '"a"']


def test_a_null_in_the_only_column_is_a_line_that_readers_count():
    data, tally = encode_table(csv_encoder(MACHINE), pa.table({"only": [1, None, 3]}))
    assert data == b'"only"\n1\n""\n3\n'
    assert tally.warnings == {("only", "null_as_empty_text"): 1}


def test_floats_have_the_fewest_digits_that_read_back_exactly():
    values = [0.1, 1e22, 5e-324, 1.7976931348623157e308, -0.0, 1 / 3]
    texts = written(values, pa.float64())
    assert [float(text) for text in texts] == values
    assert texts[0] == "0.1"
    assert texts[4] == "-0.0"
    assert written([0.1, 16777216.0], pa.float32()) == ["0.1", "16777216.0"]


def test_what_is_not_a_number_has_one_spelling_next_to_any_neighbour():
    nan, inf = float("nan"), float("inf")
    assert written([nan, inf, -inf, 1.5], pa.float64()) == ["NaN", "Infinity", "-Infinity", "1.5"]
    assert written([nan, 1.5], pa.float64()) == ["NaN", "1.5"]


def test_integers_and_decimals_keep_every_digit():
    assert written([2**63 - 1, -(2**63)], pa.int64()) == [str(2**63 - 1), str(-(2**63))]
    assert written([2**64 - 1], pa.uint64()) == [str(2**64 - 1)]
    wide = "12345678901234567890123456789012345678901234567890.10"
    assert written([Decimal(wide)], pa.decimal256(60, 2)) == [wide]
    assert written([Decimal("12300")], pa.decimal128(5, -2)) == ["12300"]


def test_a_column_asked_for_as_text_is_quoted_but_not_guarded():
    columns = {"value": Column(as_text=True)}
    assert written([-1, None], pa.int64(), columns=columns) == ['"-1"', ""]


def test_aware_timestamps_carry_the_offset_of_the_zone_asked_for():
    instant = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    texts = written(
        [instant, instant + timedelta(hours=1)], pa.timestamp("us", "UTC"), timezone=zone
    )
    assert texts == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Africa/Monrovia", "America/New_York", "UTC"])
def test_offsets_of_local_mean_time_do_not_move_the_instant(zone: str):
    # Offsets had seconds once, and chrono rounds them: 1830-01-01T08:05:43+08:06 in Shanghai.
    instants = [datetime(year, 1, 1, 12, 34, 56, 789, tzinfo=UTC) for year in range(1800, 2030)]
    texts = written(instants, pa.timestamp("us", "UTC"), timezone=ZoneInfo(zone))
    assert [datetime.fromisoformat(text) for text in texts] == instants
    assert texts[-1].endswith(instants[-1].astimezone(ZoneInfo(zone)).isoformat()[-6:])


def test_fractions_of_seconds_are_exact_and_left_out_when_zero():
    kind = pa.timestamp("us")
    values = [1, 1000, 1_000_000, -1]
    assert written(values, kind) == [
        "1970-01-01T00:00:00.000001",
        "1970-01-01T00:00:00.001",
        "1970-01-01T00:00:01",
        "1969-12-31T23:59:59.999999",
    ]
    assert written([1], pa.timestamp("ns")) == ["1970-01-01T00:00:00.000000001"]
    assert written([86_399_999_999], pa.time64("us")) == ["23:59:59.999999"]


def test_dates_outside_four_digits_are_written_with_a_sign_and_never_wrapped():
    assert written([date(1, 1, 1), date(9999, 12, 31)], pa.date32()) == ["0001-01-01", "9999-12-31"]
    assert written([date(2026, 1, 2)], pa.date64()) == ["2026-01-02"]
    assert written([2_932_897], pa.date32()) == ["+10000-01-01"]
    assert written([95_700_000, 2**31 - 1], pa.date32()) == ["+263987-09-14", "infinity"]
    assert written([-(2**63)], pa.timestamp("us")) == ["-infinity"]


def test_durations_and_intervals_never_begin_with_a_sign():
    day = 24 * 60 * 60 * 1_000_000
    assert written([day, -1, 0, 3_723_000_000], pa.duration("us")) == [
        "PT24H",
        "PT-0.000001S",
        "PT0S",
        "PT1H2M3S",
    ]
    values = [(14, -3, 1_500_000_000), (-14, 0, 0), (0, 0, 0), (0, 1, -60_000_000_000)]
    assert written(values, pa.month_day_nano_interval()) == [
        "P1Y2M-3DT1.5S",
        "P-1Y-2M",
        "PT0S",
        "P1DT-1M",
    ]


def test_nested_values_are_compact_json_that_keeps_every_digit():
    values = [{"n": 2**53 + 1, "d": Decimal("0.10"), "at": datetime(2026, 1, 1, tzinfo=UTC)}, None]
    kind = pa.struct(
        {"n": pa.int64(), "d": pa.decimal128(5, 2), "at": pa.timestamp("us", tz="UTC")}
    )
    [text, nothing] = written(values, kind, timezone=ZoneInfo("Asia/Tokyo"))
    assert text == ('"{""n"":9007199254740993,""d"":0.10,""at"":""2026-01-01T09:00:00+09:00""}"')
    assert nothing == ""
    lists = pa.list_(pa.float64())
    assert written([[1.5, float("nan"), None]], lists) == ['"[1.5,""NaN"",null]"']


def test_encoded_columns_are_written_by_their_values():
    texts = ["a", None, "=1", "a"]
    plain = written(texts, pa.string())
    for array in (
        pa.array(texts).dictionary_encode(),
        pa.compute.run_end_encode(pa.array(texts)),
        pa.array(texts, pa.string_view()),
    ):
        table = pa.table({"value": array, "row": range(4)})
        data, _ = encode_table(csv_encoder(MACHINE), table)
        assert [line.rpartition(",")[0] for line in data.decode().splitlines()[1:]] == plain


def test_a_table_without_columns_is_refused():
    with pytest.raises(LimitExceeded, match="without columns"):
        encode_table(csv_encoder(), pa.table({}))
