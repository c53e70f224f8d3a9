"""How many rows of a text format are rendered at once, by the number of its columns."""

from __future__ import annotations

import pyarrow as pa
import pytest

from waybill.exporter.formats.text_rows import (
    BYTES_AT_ONCE,
    CELLS_AT_ONCE,
    ROWS_AT_ONCE,
    Rendered,
    each_run,
)
from waybill.exporter.rows.seals import sealed


@pytest.mark.parametrize(
    ("columns", "rows"),
    [(1, ROWS_AT_ONCE), (15, ROWS_AT_ONCE), (30, ROWS_AT_ONCE // 2), (CELLS_AT_ONCE + 1, 1)],
)
def test_f104_wide_rows_are_rendered_by_cells(columns: int, rows: int) -> None:
    seen: list[int] = []

    def render(table: pa.Table) -> Rendered:
        seen.append(table.num_rows)
        return Rendered(table.num_rows, b"")

    # What a table has beside its first column changes nothing here.
    total = 2 * rows + 1
    batches = sealed([pa.record_batch({"n": pa.array(range(total), pa.int32())})])
    for _ in each_run(render, Rendered.checksum, batches, columns):
        pass
    assert sorted(seen) == [1, rows, rows]
    assert 4 * total < BYTES_AT_ONCE
