"""Exports of the dataset `keyed` in shards: settings of their workers, and what a file holds."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping

import pyarrow as pa
import sqlalchemy as sa
from pyarrow.csv import read_csv

from tests.support.fault_bench import Bench
from waybill.infra.tasks.tree_digest import is_tree_digest

#: Every export is split, and a worker writes one shard at a time. A loaded machine keeps these
#: leases: what is lost in such tests is killed or frozen.
SHARDED = {
    "WAYBILL_SHARD_FROM_ROWS": "2",
    "WAYBILL_CONCURRENCY": "1",
    "WAYBILL_LEASE_SECONDS": "10",
}


#: A million rows, more than any such export has.
_KEYS = """
CREATE UNLOGGED TABLE keys AS SELECT n FROM generate_series(1::bigint, 1000000) AS n;
ALTER TABLE keys ADD PRIMARY KEY (n);
ANALYZE keys
"""


def make_keys(engine: sa.Engine) -> None:
    """Make the table that is exported."""
    with engine.begin() as connection:
        connection.exec_driver_sql(_KEYS)


def judge(row, data) -> str | None:
    """Every row is there once, in the order of the key."""
    if row["task_type"] not in {"keyed", "log"}:
        return None
    keys = read_csv(io.BytesIO(gzip.decompress(data)))["n"].combine_chunks()
    expected = pa.array(range(1, row["rows_written"] + 1))
    return None if keys.equals(expected) else "rows are missing"


def written_alone(
    bench: Bench, ask: Callable[[Bench, str], str], settings: Mapping[str, str]
) -> str:
    """The digest of an undisturbed file, which one worker with `settings` writes alone in shards.

    ``ask(bench, tag)`` asks for it, as for those that are compared with it.
    """
    with bench.worker("--queue", "quick", **settings):
        (row,) = bench.ended(ask(bench, "alone"))
    digest: str = row["sha256"]
    assert is_tree_digest(digest)
    assert row["rows_written"] == row["rows_source"] == row["params"]["rows"]
    bench.audit(judge)
    return digest
