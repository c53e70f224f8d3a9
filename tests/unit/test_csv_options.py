"""Delimiter, decimal sign, byte order mark, guard and quoting, as a request asks for them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.support.csv_fields import csv_fields
from tests.support.encoded import encode_table
from tests.support.examples import examples
from waybill.api.cli.csv_options import read_csv_options
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.archive.csv_archive import csv_archive_encoder
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.formats.csv.options import CsvOptions, options_of
from waybill.exporter.formats.csv.profiles import EXCEL, EXCEL_SEMICOLON, MACHINE, PROFILES
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as

NUMBERS = pa.table(
    {
        "id": pa.array([1, None]),
        "price": pa.array([Decimal("9.10"), Decimal("-0.50")]),
        "rate": pa.array([1.5e-7, -2.0]),
        "total": pa.array(["12.50", "n/a 1.5"]),
        "text": pa.array(["1.5", "a;b"]),
    },
    schema=pa.schema(
        [
            pa.field("id", pa.int64()),
            pa.field("price", pa.decimal128(10, 2)),
            pa.field("rate", pa.float64()),
            pa.field("total", pa.string(), metadata=declared_as(DeclaredKind.DECIMAL)),
            pa.field("text", pa.string()),
        ]
    ),
)


def lines(table: pa.Table, layout: Layout | None = None, **options: Any) -> list[str]:
    """The lines after the heading, in the ``machine`` profile with `options`."""
    data, _ = encode_table(csv_encoder(CsvOptions(**options).over(MACHINE)), table, layout)
    return data.decode().splitlines()[1:]


def test_a_german_excel_gets_semicolons_and_decimal_commas():
    data, tally = encode_table(csv_encoder(EXCEL_SEMICOLON), NUMBERS)
    assert data.decode() == (
        '\ufeff"id";"price";"rate";"total";"text"\r\n'
        '1;9,10;1,5e-7;12,50;"1.5"\r\n'
        ';-0,50;-2,0;"n/a 1.5";"a;b"\r\n'
    )
    assert not any(rule == "formula_guarded" for _, rule in tally.warnings)


def test_readers_told_of_the_signs_read_the_same_numbers():
    data, _ = encode_table(csv_encoder(EXCEL_SEMICOLON), NUMBERS)
    frame = pl.read_csv(data, separator=";", decimal_comma=True)
    assert frame["rate"].to_list() == [1.5e-7, -2.0]
    assert frame["text"].to_list() == ["1.5", "a;b"]


def test_numbers_shown_as_text_have_the_decimal_sign_too():
    layout = Layout(columns={"price": Column(as_text=True)})
    (first, _) = lines(NUMBERS.select(["price", "id"]), layout, profile="excel-semicolon")
    assert first == '"9,10";1'


@pytest.mark.parametrize(
    ("delimiter", "line"), [(",", "1,9.10"), (";", "1;9.10"), ("\t", "1\t9.10"), ("|", "1|9.10")]
)
def test_each_delimiter(delimiter: str, line: str):
    assert lines(NUMBERS.select(["id", "price"]), delimiter=delimiter)[0] == line


def test_the_byte_order_mark_and_the_guard_are_switched_one_by_one():
    table = pa.table({"a": ["=1"]})
    for asked, wanted in (
        ({}, '\ufeff"a"\r\n"\'=1"\r\n'),
        ({"bom": False}, '"a"\r\n"\'=1"\r\n'),
        ({"guard": False}, '\ufeff"a"\r\n"=1"\r\n'),
    ):
        data, tally = encode_table(csv_encoder(CsvOptions(**asked).over(EXCEL)), table)
        assert data.decode() == wanted
        assert ("a", "formula_guarded") in tally.warnings or "guard" in asked


def test_quoting_only_where_it_is_needed():
    texts = ["a", "", None, "a,b", "a;b", 'say "x"', "two\nlines", " a", "a\t", "é", "a b"]
    table = pa.table({"t": texts, "n": range(len(texts))})
    data, _ = encode_table(csv_encoder(CsvOptions(quoting="minimal").over(MACHINE)), table)
    assert data.decode() == (
        't,n\na,0\n"",1\n,2\n"a,b",3\na;b,4\n"say ""x""",5\n"two\nlines",6\n" a",7\n"a\t",8\né,9\n'
        "a b,10\n"
    )


def test_quoting_every_value_leaves_null_empty():
    assert lines(NUMBERS, quoting="all") == [
        '"1","9.10","1.5e-7","12.50","1.5"',
        ',"-0.50","-2.0","n/a 1.5","a;b"',
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", '"', ",", ";", "|", "\t", "\r\n", "=1", "'", "\0", "\ufeff", '";"', "a\nb", " "]
)


@given(
    values=st.lists(st.none() | texts, min_size=1, max_size=12),
    quoting=st.sampled_from(["text", "minimal", "all"]),
    delimiter=st.sampled_from(list(",;\t|")),
)
@examples(80)
def test_any_text_comes_back_with_any_delimiter_and_quoting(values, quoting, delimiter):
    table = pa.table({"text": pa.array(values, pa.string()), "row": range(len(values))})
    profile = CsvOptions(quoting=quoting, delimiter=delimiter).over(MACHINE)

    data, tally = encode_table(csv_encoder(profile), table)

    assert tally.rows == len(values)
    read = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))[1:]
    assert [line[0] for line in read] == [(v or "").replace("\0", "\ufffd") for v in values]
    if delimiter == ",":
        found = [line[0] for line in csv_fields(data.decode())[1:]]
        assert [field is None for field in found] == [value is None for value in values]


def test_the_manifest_says_how_to_read_the_parts():
    data, _ = encode_table(csv_archive_encoder(EXCEL_SEMICOLON), NUMBERS)
    manifest = json.loads(zipfile.ZipFile(io.BytesIO(data)).read("manifest.json"))
    resource = manifest["resources"][0]
    assert manifest["csvProfile"] == "excel-semicolon"
    assert resource["dialect"]["delimiter"] == ";"
    assert {item["name"]: item.get("decimalChar") for item in resource["schema"]["fields"]} == {
        "id": None,
        "price": ",",
        "rate": ",",
        "total": ",",
        "text": None,
    }


def test_duckdb_reads_the_semicolon_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(encode_table(csv_encoder(EXCEL_SEMICOLON), NUMBERS)[0])
    found = duckdb.sql(
        f"SELECT sum(price) FROM read_csv('{path}', delim=';', decimal_separator=',')"  # noqa: S608
    )
    assert round(found.fetchall()[0][0], 2) == 8.6


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"decimal": ","}, "csv/decimal"),
        ({"delimiter": ",", "decimal": ","}, "csv/delimiter"),
        ({"profile": "excel-semicolon", "delimiter": ","}, "csv/delimiter"),
    ],
)
def test_numbers_that_look_like_two_fields_are_refused_by_name(asked, field):
    with pytest.raises(InvalidRequest) as refused:
        CsvOptions(**asked).over(EXCEL)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "asked",
    [
        {"delimiter": ":"},
        {"delimiter": ""},
        {"delimiter": ",,"},
        {"decimal": "x"},
        {"bom": "yes"},
        {"guard": 1},
        {"quoting": "some"},
        {"profile": "word"},
        {"sep": ";"},
    ],
)
def test_an_option_that_does_not_exist_is_refused(asked):
    with pytest.raises(ValidationError):
        CsvOptions(**asked)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("default", PROFILES.values(), ids=PROFILES)
def test_stored_options_name_the_profile_whatever_the_default_is(profile, default):
    assert options_of(profile).over(default) == profile


@pytest.mark.parametrize(
    ("profile", "pairs", "wanted"),
    [
        (None, [], None),
        ("machine", [], CsvOptions(profile="machine")),
        (None, ["delimiter=;", "decimal=,"], CsvOptions(delimiter=";", decimal=",")),
        (None, ["delimiter=tab", "bom=off"], CsvOptions(delimiter="\t", bom=False)),
        (None, ["delimiter=\\t", "guard=on"], CsvOptions(delimiter="\t", guard=True)),
        ("excel", ["quoting=all"], CsvOptions(profile="excel", quoting="all")),
    ],
)
def test_the_command_lines_spelling(profile, pairs, wanted):
    assert read_csv_options(profile, pairs) == wanted


@pytest.mark.parametrize(
    ("profile", "pairs"),
    [
        (None, ["delimiter"]),
        (None, ["bom=maybe"]),
        (None, ["bom=on", "bom=on"]),
        ("machine", ["profile=excel"]),
    ],
)
def test_the_command_line_refuses_what_it_cannot_read(profile, pairs):
    with pytest.raises(InvalidRequest):
        read_csv_options(profile, pairs)
