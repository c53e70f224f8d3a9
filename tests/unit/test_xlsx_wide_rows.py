"""Many columns rendered together become the same XML as each by itself, and cost no more."""

from __future__ import annotations

from itertools import count
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.cells import CELLS, ZONE
from tests.support.examples import examples
from tests.support.workbooks import encode
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.formats.xlsx.cells import CellFormat, Cells, Warn
from waybill.exporter.formats.xlsx.encode import cut_blocks
from waybill.exporter.formats.xlsx.number_cells import integer_cells
from waybill.exporter.formats.xlsx.placement import Piece, PlacedCut, Sheet
from waybill.exporter.formats.xlsx.row_renderer import RenderedCut, RowRenderer
from waybill.exporter.formats.xlsx.sheet_columns import plan_columns
from waybill.exporter.formats.xlsx.stacks import stacks_of
from waybill.exporter.formats.xlsx.wide_rows import WideCell, wide_cells
from waybill.exporter.rows.seals import sealed
from waybill.exporter.warning_rules import WarningRule

_SHEET = Sheet("Export")


def _rendered(table: pa.Table, layout: Layout, *, wide_from: int) -> list[RenderedCut]:
    columns = plan_columns(table.schema, layout, table)
    numbers = count(1)
    styles = [[next(numbers) for _ in column.number_formats] for column in columns]
    render = RowRenderer(columns, styles, wide_from=wide_from)
    results = []
    for cut in cut_blocks(table.schema, sealed(table.to_batches(max_chunksize=3))):
        head = cut.rows // 2
        pieces = [Piece(_SHEET, head, 7, None), Piece(_SHEET, cut.rows - head, 12_000, None)]
        results.append(render(PlacedCut(cut, tuple(piece for piece in pieces if piece.rows))))
    return results


def _check_same(table: pa.Table, layout: Layout) -> None:
    wide = _rendered(table, layout, wide_from=1)
    assert wide == _rendered(table, layout, wide_from=table.num_columns + 1)
    assert wide


def _padded(array: pa.Array, rows: int, first: int) -> pa.Array:
    """`array` behind `first` nulls, and as many more as make `rows`."""
    last = rows - first - len(array)
    return pa.concat_arrays([pa.nulls(first, array.type), array, pa.nulls(last, array.type)])


@pytest.mark.parametrize("as_text", [False, True])
def test_f103_the_corpus_is_the_same_xml_rendered_together_or_by_column(as_text: bool) -> None:
    arrays: list[pa.Array] = []
    fields: list[pa.Field] = []
    for case in CELLS:
        [field] = case.table.schema
        if pa.types.is_nested(field.type) or pa.types.is_run_end_encoded(field.type):
            continue
        # Once as it is, and once more lower: what is odd in one column leaves others alone.
        for first in (0, 1):
            arrays.append(_padded(case.array, 40, first))
            fields.append(field.with_name(f"{case.id} {len(fields)}"))
    settings = {field.name: Column(as_text=as_text) for field in fields}
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    _check_same(table, Layout(timezone=ZONE, columns=settings))


_KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float64(), st.floats() | st.integers(-9, 9).map(lambda n: n / 4)),
    (pa.string(), st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(" \n\x01_")),
    (pa.timestamp("us", "UTC"), st.datetimes()),
    (pa.decimal128(20, 2), st.decimals(-(10**17), 10**17, places=2)),
    (pa.bool_(), st.booleans()),
]


@examples(30)
@given(st.data())
def test_any_columns_are_the_same_xml_rendered_together_or_by_column(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 5))
    chosen = data.draw(st.lists(st.sampled_from(_KINDS), min_size=1, max_size=6))
    arrays = [
        pa.array(data.draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), kind)
        for kind, values in chosen
    ]
    names = [f"c{number}" for number in range(len(arrays))]
    _check_same(pa.table(arrays, names=names), Layout(timezone=ZONE))


def test_f103_columns_of_one_kind_are_one_step_however_many_they_are() -> None:
    lengths: list[int] = []

    def cells(array: pa.Array, warn: Warn) -> list[Cells]:
        lengths.append(len(array))
        return integer_cells(array, warn)

    columns = [WideCell(CellFormat(cells), f'<c r="C{number}', ['"']) for number in range(1_000)]
    arrays = [pa.array([5, 6])] * 1_000
    stacks = stacks_of([column.cell_format for column in columns], [pa.int64()] * 1_000)
    texts = wide_cells(columns, stacks, arrays, pl.Series(["2", "3"]), _no_warning)
    assert lengths == [2_000]
    assert texts[:2].to_list() == ['<row r="2">', '<c r="C02"><v>5</v></c>']
    assert texts[-2:].to_list() == ['<c r="C9993"><v>6</v></c>', "</row>"]


def _no_warning(column: int, rule: WarningRule, values: int) -> None:
    raise AssertionError(rule)


def test_f103_warnings_are_counted_for_the_column_they_happen_in() -> None:
    table = pa.table({f"c{number}": ["x", "y"] for number in range(100)})
    table = table.set_column(7, "long", pa.array(["x" * 40_000, "y"]))
    table = table.append_column("id", pa.array([10**16, 5]))
    _, tally = encode(table)
    assert tally.warnings == {
        ("long", WarningRule.TRUNCATED_TEXT): 1,
        ("id", WarningRule.LONG_NUMBER_AS_TEXT): 1,
    }
