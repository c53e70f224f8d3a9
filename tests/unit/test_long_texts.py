"""A row that is larger than a run of rows is written in pieces: the same bytes and counts."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest

from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.formats import text_rows
from waybill.exporter.formats.csv.files import csv_encoder, csv_gzip_encoder
from waybill.exporter.formats.csv.profiles import EXCEL_SEMICOLON, PROFILES, CsvProfile, Quoting
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.rows.marks import RecordCount, count_records
from waybill.exporter.rows.seals import check_seal, sealed
from waybill.exporter.values import long_texts

PIECE = 64
MINIMAL = CsvProfile(
    "minimal", byte_order_mark=False, line_end="\n", guards_formulas=True, quoting=Quoting.MINIMAL
)
ALL = CsvProfile(
    "all", byte_order_mark=True, line_end="\r\n", guards_formulas=True, quoting=Quoting.ALL
)

TEXTS = {
    "plain": "note " * 40,
    "quotes and line feeds": 'a "b"\r\n' * 40,
    "one quote at the end": "x" * 300 + '"',
    "NUL": "x" * 100 + "\0" + "y" * 100,
    "formula": "=SUM(A1)" + "x" * 200,
    "formula behind blanks": " " * (PIECE - 2) + "@cmd" + "x" * 200,
    "blanks beyond a piece": " " * (3 * PIECE) + "=cmd()",
    "digits only": "-" + "1" * 200,
    "digits and one letter at the end": "-" + "1" * 200 + "e5x",
    "characters over the end of a piece": "a" + "客户🙂é" * 50,
    "delimiters": "a,b;c" * 50,
    "only quotes": '"' * 201,
    "short": "x",
    "nothing": None,
}


def encoded(encoder, batches: list[pa.RecordBatch], layout: Layout):
    tally = Tally()
    raw = b"".join(encoder(batches[0].schema, sealed(batches), layout, tally))
    assert tally.file is not None
    assert tally.file.size_bytes == len(raw)
    return raw, tally.rows, dict(tally.warnings)


@pytest.mark.parametrize("profile", [*PROFILES.values(), MINIMAL, ALL], ids=lambda p: p.name)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_a_row_in_pieces_has_the_bytes_and_warnings_of_a_whole_one(monkeypatch, profile, kind):
    texts = list(TEXTS.values())
    columns = {
        "n": pa.array(range(len(texts))),
        "long": pa.array(texts, kind),
        "ratio": pa.array([0.5] * len(texts)),
        "other": pa.array(texts[::-1], kind),
        "raw": pa.array([b"\xff" * 99] * len(texts)),
    }
    batches = pa.table(columns).to_batches(max_chunksize=1)
    layout = Layout(columns={"ratio": Column(as_text=True)})
    whole = encoded(csv_encoder(profile), batches, layout)
    cut = []
    monkeypatch.setattr(text_rows, "BYTES_AT_ONCE", 1)
    monkeypatch.setattr(long_texts, "PIECE_BYTES", PIECE)
    pieces = long_texts.LongText.pieces
    monkeypatch.setattr(
        long_texts.LongText, "pieces", lambda text: cut.append(text) or pieces(text)
    )

    assert encoded(csv_encoder(profile), batches, layout) == whole
    assert bool(cut) == (profile is not MINIMAL)
    packed, rows, warnings = encoded(csv_gzip_encoder(profile), batches, layout)
    assert (gzip.decompress(packed), rows, warnings) == whole


def test_a_piece_is_compressed_before_the_next_is_made(monkeypatch):
    monkeypatch.setattr(text_rows, "BYTES_AT_ONCE", 1)
    monkeypatch.setattr(long_texts, "PIECE_BYTES", PIECE)
    batch = pa.record_batch([pa.array(["note " * 1000])], names=["x"])

    sizes = [
        len(part)
        for part in csv_encoder(EXCEL_SEMICOLON)(batch.schema, sealed([batch]), Layout(), Tally())
    ]

    assert len(sizes) > 50
    assert max(sizes) <= 2 * PIECE + 2


def test_the_next_row_is_not_read_before_a_large_one_is_written(monkeypatch):
    monkeypatch.setattr(text_rows, "BYTES_AT_ONCE", 1)
    written = []

    def rows():
        for number in range(3):
            assert len(written) >= number
            yield pa.record_batch([pa.array([f"row {number}"])], names=["x"])

    for part in csv_encoder()(pa.schema([("x", pa.string())]), sealed(rows()), Layout(), Tally()):
        written += [part] if b"row" in part else []

    assert len(written) == 3


def test_records_are_counted_over_the_ends_of_pieces():
    csv = b'"a\n""b\n",1\r\n"",2\r\n"\n\n"\r\n'
    for size in range(1, len(csv)):
        count = RecordCount()
        found = [count.add(csv[at : at + size]) for at in range(0, len(csv), size)]
        assert sum(found) == count_records(csv) == 3


def test_the_seal_of_a_large_batch_tells_a_changed_value():
    text = "x" * (9 << 20)
    (batch,) = sealed([pa.record_batch([pa.array([text, "y"])], names=["x"])])
    check_seal(batch)

    changed = pa.record_batch([pa.array([text[:-1] + "y", "y"])], schema=batch.schema)

    with pytest.raises(Exception, match="were changed"):
        check_seal(changed)
