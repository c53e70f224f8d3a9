"""Other people's programs read our CSV, and find every row and value."""

from __future__ import annotations

import csv
import gzip
import io
import re
import subprocess
import threading

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.benchmark_rows import make_batches
from tests.support.csv_fields import csv_fields
from tests.support.encoded import bytes_before_failure, encode_table
from tests.support.examples import examples
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.csv.files import csv_encoder, csv_gzip_encoder
from waybill.exporter.formats.csv.profiles import EXCEL, MACHINE, CsvProfile
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.rows.seals import sealed

#: Enough rows for several blocks.
SHOP = pa.Table.from_batches(make_batches(70_000))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", '"', ",", "\r\n", "=1", "'", "\0", "\ufeff", '","', "a\nb"]
)
columns = st.lists(st.none() | texts, min_size=1, max_size=20)


@given(values=columns, profile=st.sampled_from([EXCEL, MACHINE]))
@examples(60)
def test_csv_module_reads_back_any_text(values: list[str | None], profile: CsvProfile):
    table = pa.table({"text": pa.array(values, pa.string()), "row": range(len(values))})

    data, tally = encode_table(csv_encoder(profile), table)

    text = data.decode("utf-8-sig" if profile.byte_order_mark else "utf-8")
    # The csv module shows a NULL as an empty string; our own reader tells them apart.
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert lines == [[field or "" for field in line] for line in csv_fields(text)]
    found = [line[0] for line in csv_fields(text)[1:]]
    assert len(found) == tally.rows == len(values)
    changed = 0
    for value, field in zip(values, found, strict=True):
        assert (value is None) == (field is None)
        if value is not None and field is not None:
            plain = value.replace("\0", "\ufffd")
            assert field in (plain, f"'{plain}")
            changed += field != plain
    assert changed == tally.warnings["text", "formula_guarded"]


@given(values=columns, delimiter=st.sampled_from(",;\t"))
@example(values=["\n="], delimiter=",")
@example(values=["-"], delimiter=";")
@examples(40)
def test_no_field_begins_a_formula_whatever_delimiter_a_reader_splits_at(values, delimiter):
    if delimiter != ",":
        # To such a reader quotes mean nothing behind the first field, so text with lines or
        # delimiters of its own falls apart: see docs/limitations.md.
        values = [value and re.sub(r"[\r\n;\t]", "", value) for value in values]
    table = pa.table({"a": pa.array(values, pa.string()), "b": pa.array(values, pa.string())})

    data, _ = encode_table(csv_encoder(), table)

    text = data.decode("utf-8-sig")
    for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        assert not any(_runs(field) for field in line)


def _runs(field: str) -> bool:
    """Whether a sign in front is followed by more than a number or a telephone number.

    To a reader that splits elsewhere, the next field may follow: a string, which runs nothing.
    """
    digits = r"""[-+][-+0-9.,' eE%()/]*(?:,"(?:[^"]|"")*")?"""
    return field.startswith(("=", "@", "+", "-")) and not re.fullmatch(digits, field)


@pytest.mark.slow
def test_duckdb_and_polars_and_pyarrow_read_the_same_rows(tmp_path):
    data, tally = encode_table(csv_encoder(MACHINE), SHOP)
    path = tmp_path / "shop.csv"
    path.write_bytes(data)

    counted = duckdb.sql(f"SELECT count(*), sum(id), count(note) FROM read_csv('{path}')")  # noqa: S608

    assert tally.rows == SHOP.num_rows
    notes = SHOP.num_rows - SHOP["note"].null_count
    assert counted.fetchall() == [(70_000, 70_000 * 69_999 // 2, notes)]
    frame = pl.read_csv(data, try_parse_dates=False)
    assert frame["amount"].equals(pl.Series(SHOP["amount"]))
    strings = pa.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    again = pa.csv.read_csv(io.BytesIO(data), convert_options=strings)
    for name in ("id", "rate", "city", "note", "paid"):
        assert again[name].cast(SHOP[name].type).equals(SHOP[name])


def test_the_excel_profile_begins_with_one_mark_and_ends_lines_with_crlf():
    data, _ = encode_table(csv_encoder(), pa.table({"\ufeffid": [1, 2]}))
    assert data == '\ufeff"\ufeffid"\r\n1\r\n2\r\n'.encode()


def test_gzip_unpacks_to_the_plain_file_and_holds_no_time(tmp_path):
    plain, tally = encode_table(csv_encoder(), SHOP)
    packed, packed_tally = encode_table(csv_gzip_encoder(), SHOP)

    assert gzip.decompress(packed) == plain
    assert packed[4:8] == bytes(4)
    assert packed_tally == tally
    path = tmp_path / "shop.csv.gz"
    path.write_bytes(packed)
    subprocess.run(["gzip", "--test", path], check=True)


def test_an_empty_table_is_a_header():
    empty = SHOP.slice(0, 0)
    data, tally = encode_table(csv_gzip_encoder(MACHINE), empty)
    assert gzip.decompress(data).decode() == ",".join(f'"{n}"' for n in SHOP.column_names) + "\n"
    assert tally.rows == 0


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [csv_encoder, csv_gzip_encoder])
def test_bytes_do_not_depend_on_how_the_source_cuts_its_batches(encoder):
    files = {encode_table(encoder(), SHOP, batch_rows=rows)[0] for rows in (997, 16_384, 70_000)}
    assert len(files) == 1


def test_a_gzip_whose_source_fails_cannot_be_taken_for_a_whole_one():
    partial = bytes_before_failure(csv_gzip_encoder(), SHOP)
    with pytest.raises(EOFError):
        gzip.decompress(partial)


def test_rows_are_counted_no_later_than_their_bytes_are_yielded():
    tally = Tally()
    lines = 0
    for chunk in csv_encoder(MACHINE)(SHOP.schema, sealed(SHOP.to_batches()), Layout(), tally):
        lines += chunk.count(b"\n")
        assert tally.rows == lines - 1


def test_an_abandoned_encoder_leaves_no_thread_behind():
    chunks = csv_gzip_encoder()(SHOP.schema, sealed(SHOP.to_batches()), Layout(), Tally())
    next(chunks), next(chunks), next(chunks)
    chunks.close()
    assert not [thread for thread in threading.enumerate() if "render" in thread.name]
