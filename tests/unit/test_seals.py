"""Seals hold what left the cursor together, whatever is done to it on the way."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.cells import CELLS, CellCase
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.rows.batch_cuts import Cut, regroup
from waybill.exporter.rows.seals import (
    RowOrder,
    check_seal,
    first_row_of,
    in_order,
    sealed,
    sealed_slice,
)


def batch_of(*numbers: int | None) -> pa.RecordBatch:
    texts = [None if number is None else f"row {number}" for number in numbers]
    return pa.record_batch({"n": pa.array(numbers, pa.int64()), "text": texts})


BATCHES = list(sealed([batch_of(0, 1, 2), batch_of(), batch_of(3, None), batch_of(5, 6, 7)]))


def like(batch: pa.RecordBatch, other: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of `other` under the seal of `batch`."""
    return pa.RecordBatch.from_arrays(other.columns, schema=batch.schema)


def test_a_seal_changes_nothing_but_metadata() -> None:
    schema = pa.schema([pa.field("n", pa.int64(), metadata={"kept": "yes"})], {"also": "kept"})
    batch = pa.record_batch([[1, 2]], schema=schema)
    (closed,) = sealed([batch])
    assert closed.equals(batch)
    assert closed.schema.field("n").metadata == {b"kept": b"yes"}
    assert closed.schema.metadata[b"also"] == b"kept"
    assert closed.column(0).buffers()[1].address == batch.column(0).buffers()[1].address


def test_seals_number_the_rows_of_the_whole_result() -> None:
    assert [first_row_of(batch) for batch in BATCHES] == [0, 3, 3, 5]


@pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)
def test_a_seal_holds_for_rows_of_every_type(case: CellCase) -> None:
    for batch in sealed(case.table.to_batches()):
        check_seal(batch)


@pytest.mark.parametrize(
    "other",
    [
        batch_of(0, 1),
        batch_of(0, 1, 2, 2),
        batch_of(0, 2, 1),
        batch_of(0, 1, 3),
        batch_of(0, None, 2),
    ],
    ids=["lost", "doubled", "swapped", "changed", "emptied"],
)
def test_a_row_that_is_not_as_it_was_breaks_the_seal(other: pa.RecordBatch) -> None:
    with pytest.raises(IncompleteExport, match="Rows from 0 on were changed"):
        check_seal(like(BATCHES[0], other))


@given(st.binary(min_size=1, max_size=40), st.data())
def test_any_flipped_bit_breaks_the_seal(content: bytes, data: st.DataObject) -> None:
    memory = bytearray(content)
    values = pa.Array.from_buffers(pa.uint8(), len(memory), [None, pa.py_buffer(memory)])
    (batch,) = sealed([pa.record_batch({"n": values})])
    memory[data.draw(st.integers(0, len(memory) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(IncompleteExport):
        check_seal(batch)


def test_a_batch_without_a_seal_goes_nowhere() -> None:
    for use in (check_seal, first_row_of, lambda batch: list(in_order([batch]))):
        with pytest.raises(IncompleteExport, match="without the seal"):
            use(batch_of(1))


@pytest.mark.parametrize(
    "order",
    [[0, 1, 3], [0, 2, 2, 3], [0, 3, 2], [2, 0]],
    ids=["lost", "doubled", "swapped", "back"],
)
def test_batches_out_of_order_are_noticed_without_reading_them(order: list[int]) -> None:
    with pytest.raises(IncompleteExport, match="was to come next"):
        list(in_order([BATCHES[number] for number in order]))


def test_a_slice_gets_a_seal_of_its_own() -> None:
    part = sealed_slice(BATCHES[3], 1)
    check_seal(part)
    assert (first_row_of(part), part.num_rows) == (6, 2)
    with pytest.raises(IncompleteExport):
        check_seal(BATCHES[3].slice(1))


def test_a_slice_of_a_broken_batch_gets_no_seal() -> None:
    with pytest.raises(IncompleteExport):
        sealed_slice(like(BATCHES[0], batch_of(0, 1, 3)), 0, 1)


def test_a_cut_knows_its_place_and_opens_intact() -> None:
    cuts = list(regroup(BATCHES, rows=3, max_bytes=1 << 20))
    assert [(cut.first_row, cut.rows) for cut in cuts] == [(0, 3), (3, 3), (6, 2)]
    rows = [cut.open()["n"].to_pylist() for cut in cuts]
    assert rows == [[0, 1, 2], [3, None, 5], [6, 7]]


def test_a_cut_across_a_broken_batch_does_not_open() -> None:
    broken = [*BATCHES[:3], like(BATCHES[3], batch_of(5, 6, 8))]
    first, second, third = regroup(broken, rows=3, max_bytes=1 << 20)
    first.open()
    for cut in (second, third):
        with pytest.raises(IncompleteExport):
            cut.open()


def test_slices_of_a_cut_cannot_change_places() -> None:
    late, early = Cut.of(BATCHES[2]), Cut.of(BATCHES[0])
    cut = Cut(late.slices + early.slices, late.size_bytes + early.size_bytes)
    with pytest.raises(IncompleteExport, match="Row 5 was to come next, and row 0 came"):
        cut.open()


def test_an_order_of_rows_may_begin_anywhere_unless_told_where() -> None:
    RowOrder().follow(7, 1)
    with pytest.raises(IncompleteExport):
        RowOrder(2).follow(3, 1)
