"""Columns of text with a declared kind: values as what they are, exceptions as text and counted."""

from __future__ import annotations

import gzip
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from tests.support.encoded import encode_table
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.formats.csv.profiles import EXCEL, MACHINE, CsvProfile
from waybill.exporter.formats.jsonl import encode_jsonl_gzip
from waybill.exporter.values.declared_kinds import DeclaredKind, declared_as

BERLIN = ZoneInfo("Europe/Berlin")

#: For each kind: texts, JSON values, CSV fields, and what is counted.
CASES: list[tuple[DeclaredKind, list[str | None], list[str], list[str], dict[str, int]]] = [
    (
        DeclaredKind.INTEGER,
        ["2", "-12345678901234567890", "n/a", "007", None, "1.5"],
        ["2", "-12345678901234567890", '"n/a"', '"007"', "null", "1.5"],
        ["2", "-12345678901234567890", '"n/a"', '"007"', "", "1.5"],
        {"type_as_text": 2},
    ),
    (
        DeclaredKind.DECIMAL,
        ["1.10", "NaN", "0.3333333333333333", "-Infinity", "1,5", ""],
        ["1.10", '"NaN"', "0.3333333333333333", '"-Infinity"', '"1,5"', '""'],
        ["1.10", "NaN", "0.3333333333333333", "-Infinity", '"1,5"', '""'],
        {"type_as_text": 2},
    ),
    (
        DeclaredKind.FLOAT,
        ["1e-07", "1.5", "2024-01-02", 'x"y\n'],
        ["1e-07", "1.5", '"2024-01-02"', '"x\\"y\\n"'],
        ["1e-07", "1.5", '"2024-01-02"', '"x""y\n"'],
        {"type_as_text": 2},
    ),
    (
        DeclaredKind.BOOLEAN,
        ["true", "false", "2", None, "TRUE"],
        ["true", "false", '"2"', "null", '"TRUE"'],
        ["true", "false", '"2"', "", '"TRUE"'],
        {"type_as_text": 2},
    ),
    (
        DeclaredKind.DATE,
        ["2024-01-01", "infinity", "0044-03-15 BC", "20000-01-01", "0000-00-00", "2023-02-29"],
        [
            *('"2024-01-01"', '"infinity"', '"0044-03-15 BC"', '"20000-01-01"'),
            *('"0000-00-00"', '"2023-02-29"'),
        ],
        [
            *("2024-01-01", '"infinity"', '"0044-03-15 BC"', '"20000-01-01"'),
            *('"0000-00-00"', '"2023-02-29"'),
        ],
        {"type_as_text": 5},
    ),
    (
        DeclaredKind.TIME,
        ["08:00:00", "08:00:00.25", "24:00:00"],
        ['"08:00:00"', '"08:00:00.250"', '"24:00:00"'],
        ["08:00:00", "08:00:00.250", '"24:00:00"'],
        {"type_as_text": 1},
    ),
    (
        DeclaredKind.TIMESTAMP,
        ["2024-01-02 03:04:05", "2024-01-02T03:04:05.5", "n/a", "2024-02-30T00:00:00"],
        ['"2024-01-02T03:04:05"', '"2024-01-02T03:04:05.500"', '"n/a"', '"2024-02-30T00:00:00"'],
        ["2024-01-02T03:04:05", "2024-01-02T03:04:05.500", '"n/a"', '"2024-02-30T00:00:00"'],
        {"type_as_text": 2},
    ),
    (
        DeclaredKind.INSTANT,
        [
            *("2024-07-01 10:00:00+00", "2024-07-01T10:00:00Z", "2024-01-01T10:00:00+05:30"),
            *("infinity", "0000-00-00 00:00:00"),
        ],
        [
            *('"2024-07-01T12:00:00+02:00"', '"2024-07-01T12:00:00+02:00"'),
            *('"2024-01-01T05:30:00+01:00"', '"infinity"', '"0000-00-00 00:00:00"'),
        ],
        [
            *("2024-07-01T12:00:00+02:00", "2024-07-01T12:00:00+02:00"),
            *("2024-01-01T05:30:00+01:00", '"infinity"', '"0000-00-00 00:00:00"'),
        ],
        {"type_as_text": 2},
    ),
    (
        DeclaredKind.INTERVAL,
        ["36:15:00", "-01:30:00", "P1M-2DT3H", "-1 mons +2 days -03:00:00.5", "1 day", "soon"],
        [
            *('"36:15:00"', '"-01:30:00"', '"P1M-2DT3H"', '"-1 mons +2 days -03:00:00.5"'),
            *('"1 day"', '"soon"'),
        ],
        [
            *("36:15:00", "-01:30:00", "P1M-2DT3H", "-1 mons +2 days -03:00:00.5"),
            *("1 day", '"soon"'),
        ],
        {"type_as_text": 1},
    ),
    (
        DeclaredKind.JSON,
        ['{"b": 1.10, "a":[1,\n2]}', "null", None, "{oops", "NaN", "1e999", '"\\ud800"', "-5"],
        [
            '{"b": 1.10, "a":[1, 2]}',
            "null",
            "null",
            '"{oops"',
            '"NaN"',
            "1e999",
            '"\\ud800"',
            "-5",
        ],
        [
            '"{""b"": 1.10, ""a"":[1,\n2]}"',
            '"null"',
            "",
            '"{oops"',
            '"NaN"',
            '"1e999"',
            '"""\\ud800"""',
            '"-5"',
        ],
        {"type_as_text": 2},
    ),
]


def table_of(kind: DeclaredKind, texts: list[str | None]) -> pa.Table:
    field = pa.field("v", pa.string(), metadata=declared_as(kind))
    return pa.table([texts, range(len(texts))], schema=pa.schema([field, ("row", pa.int8())]))


def csv_values(table: pa.Table, profile: CsvProfile = MACHINE) -> tuple[list[str], dict[Any, int]]:
    data, tally = encode_table(csv_encoder(profile), table, Layout(timezone=BERLIN))
    text = data.decode("utf-8-sig").replace("\r\n", "\n").partition("\n")[2]
    fields = []
    for row in range(table.num_rows):
        field, _, text = text.partition(f",{row}\n")
        fields.append(field)
    return fields, {rule: count for (_, rule), count in tally.warnings.items()}


@pytest.mark.parametrize(
    ("kind", "texts", "json_values", "fields", "counted"), CASES, ids=lambda item: str(item)[:9]
)
def test_fc32_every_value_keeps_its_kind_next_to_an_exception(
    kind: DeclaredKind,
    texts: list[str | None],
    json_values: list[str],
    fields: list[str],
    counted: dict[str, int],
):
    table = table_of(kind, texts)

    data, tally = encode_table(encode_jsonl_gzip, table, Layout(timezone=BERLIN))

    assert gzip.decompress(data).decode().splitlines() == [
        f'{{"v":{value},"row":{row}}}' for row, value in enumerate(json_values)
    ]
    more = {"not_finite_as_text": 2} if kind is DeclaredKind.DECIMAL else {}
    assert {rule: count for (_, rule), count in tally.warnings.items()} == counted | more
    found, counted_in_csv = csv_values(table)
    assert found == fields
    assert counted_in_csv == ({} if kind is DeclaredKind.JSON else counted)


@pytest.mark.parametrize(
    ("kind", "texts", "json_values", "fields", "counted"), CASES, ids=lambda item: str(item)[:9]
)
def test_a_column_without_exceptions_is_counted_nowhere(
    kind: DeclaredKind, texts: Any, json_values: Any, fields: Any, counted: Any
):
    table = table_of(kind, [texts[0], None])
    _, tally = encode_table(encode_jsonl_gzip, table)
    assert not tally.warnings
    assert not csv_values(table)[1]


@pytest.mark.parametrize("kind", DeclaredKind)
def test_a_formula_in_a_marked_column_is_guarded(kind: DeclaredKind):
    fields, counted = csv_values(table_of(kind, ["=1+1", "-A1", "\t{=1}"]), EXCEL)
    guarded = 2 if kind is DeclaredKind.JSON else 3
    assert fields[:2] == ['"\'=1+1"', '"\'-A1"']
    assert counted["formula_guarded"] == guarded


def test_a_negative_duration_is_not_guarded():
    texts = ["-01:30:00", "-1 mons", "-1 days +02:00:00", "-1 mon+cmd|' /C calc'!A0"]
    fields, counted = csv_values(table_of(DeclaredKind.INTERVAL, texts), EXCEL)
    assert fields[:3] == texts[:3]
    assert counted == {"formula_guarded": 1, "type_as_text": 1}


def test_json_behind_a_line_break_is_not_guarded():
    texts = ["\n{}", "\r\n [1]", "\t-5 ", "\n1+cmd", "-1+cmd|' /C calc'!A0"]
    fields, counted = csv_values(table_of(DeclaredKind.JSON, texts), EXCEL)
    assert ["'" in field[:2] for field in fields] == [False, False, False, True, True]
    assert counted == {"formula_guarded": 2}


def test_marked_numbers_asked_for_as_text_are_strings_and_no_exceptions():
    table = table_of(DeclaredKind.INTEGER, ["1", "n/a", None])
    data, tally = encode_table(
        encode_jsonl_gzip, table, Layout(columns={"v": Column(as_text=True)})
    )
    assert gzip.decompress(data) == b'{"v":"1","row":0}\n{"v":"n/a","row":1}\n{"v":null,"row":2}\n'
    assert not tally.warnings


def test_deeply_nested_json_is_json():
    deep = "[" * 500 + "]" * 500
    data, tally = encode_table(encode_jsonl_gzip, table_of(DeclaredKind.JSON, [deep, "[" * 500]))
    first, second = gzip.decompress(data).decode().splitlines()
    assert first == f'{{"v":{deep},"row":0}}'
    assert second.startswith('{"v":"[')
    assert tally.warnings == {("v", "type_as_text"): 1}
