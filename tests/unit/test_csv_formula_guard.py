from __future__ import annotations

import sys
import unicodedata

import polars as pl
import pyarrow as pa
import pytest

from tests.support.csv_fields import csv_fields
from tests.support.encoded import encode_table
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.formats.csv.formula_guard import FIRST_BYTES, begins_formula
from waybill.exporter.formats.csv.profiles import MACHINE


def suspects(texts: list[str]) -> list[str]:
    return pl.DataFrame({"text": texts}).filter(begins_formula(pl.col("text")))["text"].to_list()


@pytest.mark.slow
def test_every_character_that_unicode_folds_to_a_formula_sign_is_suspect():
    letters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    signs = [c for c in letters if unicodedata.normalize("NFKC", c).startswith(tuple("=+-@"))]
    assert len(signs) > 15
    assert [text[0] for text in suspects([f"{letter}A1" for letter in letters])] == sorted(
        {*signs, "\t", "\r", "\n", "\0"}
    )


@pytest.mark.parametrize(
    "hidden", [" ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u202e", "\x0b", "\x1f"]
)
def test_blanks_and_invisible_characters_do_not_hide_a_sign(hidden: str):
    texts = [f"{hidden}=1", f"{hidden * 3}@A1", f" {hidden}\u200d-1"]
    assert suspects(texts) == texts


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\t\r\n", "a=1", "1-2", "(+1)", "'=1", '"=1"', "\u20131", "é", "\x01a"]
)
def test_harmless_text_is_left_alone(text: str):
    assert suspects([text]) == []


@pytest.mark.parametrize(
    "text",
    [
        *("-", "+", "-5", "-5.00", "+1", "-1,234.50", "-1.5E-7", "- 5", "-12%", " -5 ", "-1'000"),
        *("+49 30 1234", "+49 (0)30 1234-5", "+1 (555) 123-4567", "+49/30.12", "+4930"),
    ],
)
def test_fc26_numbers_and_telephone_numbers_run_nothing(text: str):
    assert suspects([text]) == []


@pytest.mark.parametrize(
    "text",
    [
        *("@handle", "- see note", "-A1", "+A1", "-2+3+cmd|' /C calc'!A0", "+1+1", "--5", "-5-3"),
        *("=1", "-1=1", "+49;=1", "\t-5", "\n+49", "-5\n", "－5", "＋49 30", "+49 30 ext", "-5|x"),
        *("-5!A", "-(5)", "\u200b-5", "\u00a0-5"),
    ],
)
def test_fc26_whatever_could_name_something_is_guarded(text: str):
    assert suspects([text]) == [text]


def test_numbers_of_every_type_keep_their_sign_and_no_quotes():
    table = pa.table(
        {
            "int": pa.array([-1], pa.int64()),
            "float": pa.array([-1.5], pa.float64()),
            "decimal": pa.array(["-0.10"]).cast(pa.decimal128(5, 2)),
            "numeric": pa.array(["-12.30"]),
        },
        schema=pa.schema(
            [
                pa.field("int", pa.int64()),
                pa.field("float", pa.float64()),
                pa.field("decimal", pa.decimal128(5, 2)),
                pa.field("numeric", pa.string(), metadata={b"waybill.kind": b"decimal"}),
            ]
        ),
    )

    data, tally = encode_table(csv_encoder(), table)

    assert data.decode("utf-8-sig").splitlines()[1] == "-1,-1.5,-0.10,-12.30"
    assert not tally.warnings


def test_text_in_a_column_of_decimals_is_guarded_like_any_text():
    field = pa.field("n", pa.string(), metadata={b"waybill.kind": b"decimal"})
    values = ["-1e-7", "NaN", "-Infinity", "=1+1", "1,5", '-"\0', None, "+1", ""]
    table = pa.table([values, range(len(values))], schema=pa.schema([field, ("row", pa.int8())]))

    data, tally = encode_table(csv_encoder(), table)

    assert data.decode("utf-8-sig").split("\r\n")[1:-1] == [
        "-1e-7,0",
        "NaN,1",
        "-Infinity,2",
        '"\'=1+1",3',
        '"1,5",4',
        '"\'-""\ufffd",5',
        ",6",
        '"+1",7',
        '"",8',
    ]
    assert tally.warnings == {
        ("n", "formula_guarded"): 2,
        ("n", "nul_replaced"): 1,
        ("n", "type_as_text"): 5,
    }


def test_base64_that_begins_with_a_plus_is_guarded_and_counted():
    table = pa.table({"raw": pa.array([b"\xf8\x00", b"abc", None]), "row": [1, 2, 3]})

    data, tally = encode_table(csv_encoder(), table)

    fields = [line[0] for line in csv_fields(data.decode("utf-8-sig"))]
    assert fields == ["raw", "'+AA=", "YWJj", None]
    assert tally.warnings == {("raw", "formula_guarded"): 1, ("raw", "binary_as_base64"): 2}


def test_headings_are_guarded_and_told_apart():
    table = pa.table([[1], [2], [3], [4]], names=["=x", "a\nb", "A\nB", ""])
    layout = Layout(columns={"a\nb": Column(label='say "hi"\0')})

    data, tally = encode_table(csv_encoder(), table, layout)

    assert csv_fields(data.decode("utf-8-sig"))[0] == ["'=x", 'say "hi"\ufffd', "A\nB", "column 4"]
    assert tally.warnings == {
        ("=x", "formula_guarded"): 1,
        ("a\nb", "nul_replaced"): 1,
        ("column 4", "column_renamed"): 1,
    }


def test_the_machine_profile_adds_nothing():
    table = pa.table({"=x": ["=1+1", " @a", "\ttab"]})

    data, tally = encode_table(csv_encoder(MACHINE), table)

    assert data == b'"=x"\n"=1+1"\n" @a"\n"\ttab"\n'
    assert not tally.warnings


@pytest.mark.slow
def test_no_suspect_text_begins_with_another_byte_than_those_that_are_looked_for():
    letters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    found = suspects([f"{letter}\t=A1" for letter in letters])
    assert len(found) > 200
    assert {text.encode()[0] for text in found} == {
        number for number, is_looked_for in enumerate(FIRST_BYTES) if is_looked_for
    }
