"""A row that is too large for memory is an error that says which one it is."""

from __future__ import annotations

from itertools import chain

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.exporter.errors import RowTooLarge
from waybill.exporter.rows.row_sizes import check_rows
from waybill.exporter.rows.seals import sealed


def _batches(*lengths: list[int]) -> list[pa.RecordBatch]:
    return list(
        sealed(
            pa.record_batch({"id": list(range(len(part))), "doc": ["x" * size for size in part]})
            for part in lengths
        )
    )


def test_f105_the_row_and_its_largest_column_are_named() -> None:
    first, second = _batches([5, 5], [5, 2 << 20, 5])
    check_rows(first, 1 << 20)
    with pytest.raises(RowTooLarge) as refused:
        check_rows(second, 1 << 20)
    assert refused.value.message == (
        "Row 4 takes 2.0 MiB, and a row may take 1.0 MiB. "
        "Its largest value is 2.0 MiB in the column 'doc'."
    )
    assert (refused.value.code, refused.value.retry) == ("row_too_large", False)


def test_a_large_batch_of_small_rows_is_no_large_row() -> None:
    [batch] = _batches([100] * 1_000)
    check_rows(batch, 1_000)
    check_rows(batch.slice(3, 2), 1_000)


@given(st.lists(st.lists(st.integers(0, 300), min_size=1, max_size=8), min_size=1, max_size=4))
def test_the_first_row_beyond_the_limit_is_found(parts: list[list[int]]) -> None:
    limit = 200
    # Beside the text an integer of eight bytes and an offset of four.
    sizes = [size + 8 + 4 for size in chain.from_iterable(parts)]
    first = next((row for row, size in enumerate(sizes, 1) if size > limit), None)
    found = None
    for batch in _batches(*parts):
        try:
            check_rows(batch, limit)
        except RowTooLarge as error:
            found = int(error.message.split()[1])
            break
    assert found == first


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.struct({"text": pa.string()})])
def test_f105_a_row_is_as_large_as_what_is_nested_in_it(kind: pa.DataType) -> None:
    value = ["x" * 3_000] if pa.types.is_list(kind) else {"text": "x" * 3_000}
    [batch] = sealed([pa.record_batch({"n": pa.array([None, value], kind)})])
    with pytest.raises(RowTooLarge, match=r"^Row 2 takes .* in the column 'n'"):
        check_rows(batch, 1_000)
