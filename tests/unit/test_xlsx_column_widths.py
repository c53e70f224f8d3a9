"""Widths of columns: decided by the first values, and the same with other columns beside them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.cells import CELLS, ZONE
from tests.support.examples import examples
from waybill.exporter.datasets.layout import Column
from waybill.exporter.formats.xlsx.cell_formats import cell_format_for
from waybill.exporter.formats.xlsx.column_widths import column_widths


def _widths(table: pa.Table) -> list[float]:
    formats = [cell_format_for(field, Column(), ZONE) for field in table.schema]
    return column_widths(table.column_names, formats, table)


@pytest.mark.parametrize(
    ("values", "width"),
    [
        pytest.param([], 6.0, id="no value: the heading, and no less than six"),
        pytest.param([None] * 9, 6.0, id="null alone"),
        pytest.param(["x" * 20] * 95 + ["x" * 50] * 5, 22.0, id="nineteen of twenty texts fit"),
        pytest.param(["x" * 20] * 94 + ["x" * 50] * 6, 52.0, id="more than one of twenty is long"),
        pytest.param(["x" * 80], 60.0, id="no more than sixty"),
        pytest.param(["上海市浦东新区"], 16.0, id="Chinese letters are twice as wide"),
        pytest.param([1] * 99 + [10**13], 16.0, id="every number fits"),
        pytest.param([1] * 1_000 + [10**13], 6.0, id="the first thousand rows decide"),
    ],
)
def test_a_width_is_decided_by_the_first_values(values: list[Any], width: float) -> None:
    kind = pa.string() if not values or values[0] is None else None
    assert _widths(pa.table({"a": pa.array(values, kind)})) == [width]


def test_a_long_heading_decides() -> None:
    assert _widths(pa.table({"a heading of some length": ["x"]})) == [29.4]


def test_values_of_types_with_a_width_of_their_own_decide_nothing() -> None:
    assert _widths(pa.table({"a": [1.5], "b": [True], "c": ["x" * 20]})) == [14.0, 10.0, 22.0]
    assert _widths(pa.table({"a": [1.5], "b": [None]})) == [14.0, 10.0]


def test_columns_of_the_corpus_are_as_wide_together_as_alone() -> None:
    rows = max(len(case.array) for case in CELLS)
    # PyArrow cannot lengthen a run-end encoded array.
    cases = [case for case in CELLS if not pa.types.is_run_end_encoded(case.array.type)]
    arrays = [
        pa.concat_arrays([case.array, pa.nulls(rows - len(case.array), case.array.type)])
        for case in cases
    ]
    fields = [case.table.schema[0].with_name(f"c{number}") for number, case in enumerate(cases)]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    together = _widths(table)

    assert together == [_widths(table.select([index]))[0] for index in range(table.num_columns)]
    assert len(set(together)) > 10


_COLUMNS = st.sampled_from(
    [
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.string(), st.text(st.characters(codec="utf-8"), max_size=30)),
        (pa.decimal128(20, 2), st.decimals(-(10**17), 10**17, places=2)),
    ]
)


@examples(30)
@given(st.data())
def test_any_columns_are_as_wide_together_as_alone(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 30))
    chosen = data.draw(st.lists(_COLUMNS, min_size=1, max_size=6))
    arrays = [
        pa.array(data.draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), kind)
        for kind, values in chosen
    ]
    table = pa.table(arrays, names=[f"c{number}" for number in range(len(arrays))])

    assert _widths(table) == [_widths(table.select([at]))[0] for at in range(len(arrays))]
