"""Memory while reading does not grow with the rows, nor with their size (corpus C32)."""

from __future__ import annotations

import subprocess
import sys

import pytest

ROWS = 60
TEXT_BYTES = 10_000_000

#: A few rows at a time, each once in the driver, once in Arrow and once in a buffer's slack.
ALLOWED_BYTES = 12 * TEXT_BYTES

#: Runs alone, since a process's peak is that of everything it ever did.
_READER = """
import resource, sys
from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import text_query

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

source = open_source(sys.argv[1])
with source.open(text_query("SELECT 1 AS one")) as stream:
    list(stream)
before = peak()
rows = size = 0
with source.open(text_query(sys.argv[2])) as stream:
    for batch in stream:
        rows += batch.num_rows
        size += batch.nbytes
sys.stdout.write(f"{rows} {size} {peak() - before}")
"""

POSTGRES = "SELECT repeat('x', {size}) AS x FROM generate_series(1, {rows})"
SQLITE = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
    SELECT printf('%.*c', {size}, 'x') AS x FROM n
"""


def read(url: str, sql: str) -> tuple[int, int, int]:
    """Rows, their bytes, and the growth of memory, of one read in a process of its own."""
    command = [sys.executable, "-c", _READER, url, sql.format(rows=ROWS, size=TEXT_BYTES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    rows, size, growth = map(int, done.stdout.split())
    return rows, size, growth


@pytest.mark.parametrize("database", ["postgres", "sqlite"])
def test_ten_megabyte_texts_are_never_held_all_at_once(database, request, tmp_path):
    if database == "postgres":
        url, sql = request.getfixturevalue("postgres_url"), POSTGRES
    else:
        (tmp_path / "rows.db").touch()
        url, sql = f"sqlite:///{tmp_path}/rows.db", SQLITE

    rows, size, growth = read(url, sql)

    assert rows == ROWS
    assert size >= ROWS * TEXT_BYTES
    assert growth < ALLOWED_BYTES
