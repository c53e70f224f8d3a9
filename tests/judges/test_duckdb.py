"""The whole corpus in one Parquet file, as DuckDB reads it."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.corpus.cells import CELLS, CellCase
from tests.judges.files import CORPUS_ROWS, corpus_parquet

#: DuckDB counts all times in microseconds, in which the last millisecond is no date any more,
#: and its decimals end at 38 digits.
_BEYOND_DUCKDB = ("beyond four digits and infinity in ms", "decimal256")
_READ = [case for case in CELLS if not case.name.endswith(_BEYOND_DUCKDB)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    path = tmp_path_factory.mktemp("duckdb") / "corpus.parquet"
    path.write_bytes(corpus_parquet())
    names = ", ".join(f'"{name}"' for name in ["row", *map(CELLS.index, _READ)])
    with duckdb.connect() as connection:
        return connection.sql(f"SELECT {names} FROM '{path}'").to_arrow_table()  # noqa: S608


def test_duckdb_finds_every_row(found: pa.Table):
    assert found["row"].to_pylist() == list(range(CORPUS_ROWS))
    assert len(_READ) == len(CELLS) - len(_BEYOND_DUCKDB)


@pytest.mark.parametrize("case", _READ, ids=lambda case: case.id)
def test_duckdb_reads_every_hostile_value(case: CellCase, found: pa.Table):
    values = _plain(found[str(CELLS.index(case))].combine_chunks())
    assert values[: len(case.array)] == _plain(case.array)
    assert found[str(CELLS.index(case))].slice(len(case.array)).null_count == (
        CORPUS_ROWS - len(case.array)
    )


def _plain(array: pa.Array) -> list[Any]:
    """Values as DuckDB and Arrow can both have them, and equal where they are the same."""
    kind = array.type
    if isinstance(kind, pa.UuidType):
        return [value and str(value) for value in array.to_pylist()]
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).to_pylist()
    if pa.types.is_duration(kind):
        return array.cast(pa.int64()).to_pylist()
    if pa.types.is_date32(kind):
        return array.cast(pa.int32()).to_pylist()
    # NaN is not equal to itself.
    return list(map(repr, array.to_pylist())) if pa.types.is_floating(kind) else array.to_pylist()
