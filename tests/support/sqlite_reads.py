"""One query read from a SQLite file both ways: types checked before, and while reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from waybill.exporter.ports import AssumesTypes, TypesChanged
from waybill.infra.sources import open_source


def read_both_ways(
    path: Path, query: Any, *, count: bool = True, repeatable: bool = True
) -> pa.Table:
    """All rows, after comparing what came the one way with what came the other.

    Without `repeatable` the query has other rows each time.
    """
    source = open_source(f"sqlite:///{path}")
    with source.open(query, count=count) as stream:
        before = pa.Table.from_batches(list(stream), schema=stream.schema)
        known_before = stream.rows_expected, dict(stream.read_as_text)
    with source.open(query, count=count) as stream:
        assert isinstance(stream, AssumesTypes)
        stream.assume_declared_types()
        try:
            batches = list(stream)
        except TypesChanged:
            batches = list(stream)
        meanwhile = pa.Table.from_batches(batches, schema=stream.schema)
        known = stream.rows_expected, dict(stream.read_as_text)
    if repeatable:
        assert known == known_before
        assert meanwhile.schema.equals(before.schema, check_metadata=True)
        # Arrow's own comparison takes a NaN for another one.
        assert str(meanwhile.to_pydict()) == str(before.to_pydict())
    return before
