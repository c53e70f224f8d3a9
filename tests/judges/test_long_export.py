"""C35 at full length: 2,100,000 rows, three sheets, every row there and in order."""

from __future__ import annotations

import io
from itertools import islice

import polars as pl
from python_calamine import CalamineWorkbook

from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.xlsx.encode import encode_xlsx
from waybill.exporter.rows.seals import sealed

_ROWS = 2_100_000
#: Of one sheet, its header among them.
_SHEET_ROWS = 1_048_576


def test_calamine_finds_every_row_of_a_long_export_in_order():
    ids = pl.int_range(_ROWS, dtype=pl.Int32, eager=True).alias("id")
    table = pl.DataFrame([ids, ("row " + ids.cast(pl.String)).alias("text")]).to_arrow()
    tally = Tally()
    batches = table.to_batches(max_chunksize=10_000)
    data = b"".join(encode_xlsx(table.schema, sealed(batches), Layout(title="Long"), tally))
    assert tally.rows == _ROWS

    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    heights = {}
    numbers = iter(range(_ROWS))
    for name in book.sheet_names:
        header, *rows = book.get_sheet_by_name(name).to_python()
        heights[name] = 1 + len(rows)
        assert header == ["id", "text"]
        wanted = ([number, f"row {number}"] for number in islice(numbers, len(rows)))
        wrong = [pair for pair in zip(rows, wanted, strict=True) if pair[0] != pair[1]]
        assert wrong[:3] == []
    assert next(numbers, None) is None
    assert heights == {
        "Long": _SHEET_ROWS,
        "Long (2)": _SHEET_ROWS,
        "Long (3)": 1 + _ROWS - 2 * (_SHEET_ROWS - 1),
    }
