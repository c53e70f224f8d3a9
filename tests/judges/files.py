"""The files that are put before the judges: the whole corpus in one, and a decorated workbook."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pyarrow as pa

from tests.corpus.cells import CELLS, ZONE
from tests.support.encoded import encode_table
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.csv.files import csv_encoder
from waybill.exporter.formats.csv.profiles import EXCEL, CsvProfile
from waybill.exporter.formats.parquet import parquet_encoder
from waybill.exporter.formats.xlsx.encode import encode_xlsx

#: Rows of the corpus as one table: shorter cases end in nulls.
CORPUS_ROWS = max(len(case.array) for case in CELLS)

#: Rows of the decorated workbook by their city, in the order of its sheets.
CITIES = {"Berlin": 40, "São Paulo": 25, "上海": 35}
DECORATED_SHEETS = [*CITIES, "Summary", "About this export"]


def corpus_table() -> pa.Table:
    """A column called ``row``, then one for each case, called by its number in `CELLS`."""
    columns = [
        pa.chunked_array([case.array, pa.nulls(CORPUS_ROWS - len(case.array), case.array.type)])
        for case in CELLS
    ]
    names = [str(number) for number in range(len(CELLS))]
    return pa.table([pa.array(range(CORPUS_ROWS)), *columns], names=["row", *names])


def corpus_columns(kind: str) -> list[list[Any]]:
    """What the columns of `corpus_table` shall look like in the format `kind`, top to bottom."""
    columns = [list(getattr(case, kind)) for case in CELLS]
    return [column + [None] * (CORPUS_ROWS - len(column)) for column in columns]


@cache
def corpus_workbook() -> bytes:
    """The corpus as XLSX."""
    return encode_table(encode_xlsx, corpus_table(), Layout(title="Corpus", timezone=ZONE))[0]


@cache
def corpus_csv(profile: CsvProfile = EXCEL) -> bytes:
    """The corpus as CSV."""
    layout = Layout(title="Corpus", timezone=ZONE)
    return encode_table(csv_encoder(profile), corpus_table(), layout)[0]


@cache
def corpus_parquet() -> bytes:
    """The corpus as Parquet."""
    return encode_table(parquet_encoder(), corpus_table(), Layout(timezone=ZONE))[0]


@cache
def decorated_workbook() -> bytes:
    """A sheet for each city with bars, a validation and a total, a chart, and an About sheet."""
    cities = [city for city, rows in CITIES.items() for _ in range(rows)]
    table = pa.table({"n": pa.array(range(len(cities)), pa.int32()), "city": cities})
    layout = Layout(
        title="Orders", sheet_by="city", decorate=_decorate, about=[("Made for", "the judges")]
    )
    return encode_table(encode_xlsx, table, layout, batch_rows=30)[0]


def total(city: str) -> int:
    """The sum below the rows of `city`."""
    start = sum(list(CITIES.values())[: list(CITIES).index(city)])
    return sum(range(start, start + CITIES[city]))


def _decorate(workbook: Any, sheets: Sequence[Any]) -> None:
    bold = workbook.add_format({"bold": True})
    chart = workbook.add_chart({"type": "column"})
    for sheet in sheets:
        last = sheet.data_rows
        sheet.conditional_format(1, 0, last, 0, {"type": "data_bar"})
        rule = {"validate": "integer", "criteria": ">=", "value": 0}
        sheet.data_validation(1, 0, last, 0, rule)
        value = total(sheet.name) if sheet.name in CITIES else 0
        sheet.write_formula(last + 1, 0, f"=SUM(A2:A{last + 1})", bold, value)
        chart.add_series({"values": [sheet.name, 1, 0, max(last, 1), 0], "name": sheet.name})
    workbook.add_worksheet("Summary").insert_chart("A1", chart)
