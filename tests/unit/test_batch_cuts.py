from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.exporter.rows.batch_cuts import regroup, split_rows
from waybill.exporter.rows.seals import sealed

sizes = st.lists(st.integers(0, 12), max_size=12)


def batches_of(sizes: list[int]) -> list[pa.RecordBatch]:
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    return list(
        sealed(
            pa.record_batch({"n": pa.array(range(start, end), pa.int64())})
            for start, end in pairwise([0, *ends])
        )
    )


@given(sizes=sizes, rows=st.integers(1, 10), stop_every=st.none() | st.integers(1, 15))
def test_groups_hold_every_row_in_order_and_depend_on_the_rows_alone(sizes, rows, stop_every):
    def cut(batches):
        groups = regroup(batches, rows=rows, max_bytes=1 << 20, stop_every=stop_every)
        return [group.open()["n"].to_pylist() for group in groups]

    groups = cut(batches_of(sizes))

    assert [n for group in groups for n in group] == list(range(sum(sizes)))
    assert groups == cut(batches_of([1] * sum(sizes)))
    assert all(1 <= len(group) <= rows for group in groups)
    if stop_every:
        assert all(group[0] // stop_every == group[-1] // stop_every for group in groups)


@pytest.mark.slow
@given(sizes=st.lists(st.integers(1, 12), max_size=12), max_bytes=st.integers(1, 200))
def test_wide_rows_end_a_group_before_it_is_too_large(sizes, max_bytes):
    groups = list(regroup(batches_of(sizes), rows=100, max_bytes=max_bytes))
    assert sum(group.rows for group in groups) == sum(sizes)
    assert all(group.open().nbytes <= max_bytes or group.rows == 1 for group in groups)


@given(sizes=sizes, rows=st.integers(1, 10))
def test_parts_hold_exactly_so_many_rows_and_are_never_empty_but_the_first(sizes, rows):
    parts = [
        [n for batch in part for n in batch["n"].to_pylist()]
        for part in split_rows(batches_of(sizes), rows)
    ]
    total = sum(sizes)
    assert parts == [list(range(n, min(n + rows, total))) for n in range(0, total or 1, rows)]


def test_no_batch_is_read_before_its_part_is_asked_for():
    read = []

    def source():
        for batch in batches_of([2, 2, 2]):
            read.append(batch["n"][0].as_py())
            yield batch

    parts = split_rows(source(), 2)
    first = next(parts)
    assert read == [0]
    assert [batch.num_rows for batch in first] == [2]
    assert read == [0]
    next(parts)
    assert read == [0, 2]


def test_a_source_that_fails_fails_the_reader_of_the_part():
    def source():
        yield from batches_of([3])
        raise ConnectionError

    part = next(split_rows(source(), 5))
    with pytest.raises(ConnectionError):
        list(part)
