"""Rows are counted in finished bytes, whatever values say."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.encoded import encode_table
from tests.support.workbooks import encode
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.csv.csv_text import CsvText
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.formats.csv.profiles import EXCEL, MACHINE, CsvProfile
from waybill.exporter.formats.jsonl import encode_jsonl_gzip
from waybill.exporter.rows.marks import count_marks, count_records

#: Values that look like ends of rows.
NASTY = ["\n", "\r\n", '"', '"\n"', '""', "</row>", "<row", "\\n", ",\n,", "", None, "x"]

texts = st.lists(st.sampled_from(NASTY) | st.text('a\n\r",', max_size=6), min_size=1, max_size=30)


@given(st.binary(max_size=200), st.sampled_from([b"\n", b"<r", b"abc"]))
def test_marks_are_counted_as_bytes_count_counts_them(raw: bytes, mark: bytes) -> None:
    raw += mark + raw + mark
    assert count_marks(raw, mark) == count_marks(memoryview(raw), mark) == raw.count(mark)


@pytest.mark.parametrize("raw", [b"", b"<"])
def test_bytes_shorter_than_the_mark_hold_none(raw: bytes) -> None:
    assert count_marks(raw, b"<r") == 0


@given(texts, st.sampled_from(["\n", "\r\n"]))
def test_records_are_counted_as_the_csv_module_counts_them(values, line_end: str) -> None:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([value, "x"] for value in values)
    assert count_records(lines.getvalue().encode()) == len(values)


@given(texts, st.sampled_from([EXCEL, MACHINE]))
def test_rows_of_a_csv_are_found_again_in_its_bytes(values, profile: CsvProfile) -> None:
    table = pa.table({"a": pa.array(values, pa.string()), "b": range(len(values))})
    rendered = CsvText(table.schema, Layout(), profile).rows(table)
    assert rendered.rows == len(values)
    cut = rendered.raw[: rendered.raw.rindex(profile.line_end.encode())]
    assert count_records(cut) == len(values) - 1


def test_no_value_passes_for_a_row() -> None:
    table = pa.table({"a": pa.array(NASTY, pa.string()), "b": pa.array(NASTY, pa.string())})
    for data, tally in (
        encode(table),
        encode_table(csv_encoder(EXCEL), table),
        encode_table(encode_jsonl_gzip, table),
    ):
        assert data
        assert tally.rows == len(NASTY)
