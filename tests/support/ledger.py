"""The ledger: rows that are rewritten all the time, and a check that a file shows one moment."""

from __future__ import annotations

import csv
import io
import threading
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tests.support.fault_bench import Bench


def rewrite(bench: Bench, stop: threading.Event) -> None:
    """Change every row of the ledger in one commit, over and over."""
    while not stop.wait(0.1):
        # The soak crashes this database as well.
        with suppress(SQLAlchemyError):
            bench.execute(sa.text("UPDATE ledger SET version = version + 1"))


def one_snapshot(row: sa.RowMapping, data: bytes) -> str | None:
    """Every row of one version, and all of them: what the ledger held at one moment."""
    lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))[1:]
    ids, versions = [line[0] for line in lines], {line[1] for line in lines}
    if ids != [str(n) for n in range(1, row["rows_source"] + 1)] or len(versions) != 1:
        return f"{len(ids)} rows of {len(versions)} versions"
    return None
