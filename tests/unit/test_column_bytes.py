from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.cells import CELLS, ZONE, CellCase
from tests.support.examples import examples
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.formats.csv.csv_text import CsvText
from waybill.exporter.formats.csv.profiles import EXCEL
from waybill.exporter.values.column_bytes import ColumnBytes, first_bytes, is_text

PLUS = first_bytes(b"+")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize(
    ("texts", "has_quote", "begins"),
    [
        ([], False, False),
        ([None, None], False, False),
        (["", ""], False, False),
        (["a", None, ""], False, False),
        (['a"b', "1+1"], True, False),
        (["a", "+1", ""], False, True),
        ([None, "+"], False, True),
    ],
)
def test_a_character_is_found_where_a_text_has_it(
    kind: pa.DataType, texts: list[str | None], has_quote: bool, begins: bool
) -> None:
    found = ColumnBytes(pa.chunked_array([pa.array(texts, kind)], kind))
    assert (found.may_have(b'"'), found.may_begin(PLUS)) == (has_quote, begins)


def test_what_lies_around_a_slice_is_not_looked_at() -> None:
    whole = pa.array(['"', "+1", "a", "b", '+"'])
    inside = pa.chunked_array([whole.slice(2, 2), whole.slice(3, 1)])
    assert not ColumnBytes(inside).may_have(b'"')
    assert not ColumnBytes(inside).may_begin(PLUS)
    both = ColumnBytes(pa.chunked_array([whole.slice(2, 2), whole.slice(4, 1)]))
    assert both.may_have(b'"')
    assert both.may_begin(PLUS)


def test_only_strings_have_one_buffer_of_texts() -> None:
    assert is_text(pa.string())
    assert not is_text(pa.string_view())
    assert not is_text(pa.dictionary(pa.int32(), pa.string()))


def _check_same(table: pa.Table) -> None:
    layout = Layout(timezone=ZONE)
    by_bytes, by_value = (
        CsvText(table.schema, layout, EXCEL, search_bytes_from=rows).rows(table)
        for rows in (0, table.num_rows + 1)
    )
    assert by_bytes == by_value


@pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)
def test_the_corpus_is_the_same_csv_searched_by_bytes_or_by_value(case: CellCase) -> None:
    _check_same(case.table)


@examples(100)
@given(st.lists(st.none() | st.text(st.sampled_from('ab"\0=+ \n，＝é'), max_size=4)), st.data())
def test_any_texts_are_the_same_csv_searched_by_bytes_or_by_value(
    texts: list[str | None], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(texts)))
    chunks = [pa.array(texts[:cut], pa.string()), pa.array(texts[cut:], pa.string())]
    _check_same(pa.table({"text": pa.chunked_array(chunks), "number": pa.array([1] * len(texts))}))
