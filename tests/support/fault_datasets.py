"""What the fault bench exports: quick, slow and deadly. Loaded by Waybill's own processes."""

from __future__ import annotations

import os
import signal
import sys

import sqlalchemy as sa
from pydantic import BaseModel

from waybill import dataset

#: Every row has the same version in every snapshot: a writer changes all of them at once.
ledger_table = sa.table("ledger", sa.column("id"), sa.column("version"))
keys_table = sa.table("keys", sa.column("n", sa.BigInteger))


class Numbers(BaseModel):
    rows: int = 1000
    #: Makes equal requests different ones.
    tag: str = ""


class Seconds(BaseModel):
    seconds: float = 1.0
    tag: str = ""


def tagged(query, params):
    """Another tag is another query: these shall not share a run."""
    return query.where(sa.literal(params.tag).is_not(None))


@dataset("numbers", params=Numbers, queue="quick")
def numbers(params, user):
    """64 bytes and more for each row, so 100,000 of them are more than one part."""
    series = sa.func.generate_series(1, params.rows).table_valued("n", name="g").render_derived()
    return tagged(sa.select(series.c.n, sa.func.repeat("x", 64).label("text")), params)


@dataset("ledger", params=Numbers, queue="quick")
def ledger(params, user):
    return tagged(sa.select(ledger_table).order_by(ledger_table.c.id), params)


@dataset("slow", params=Seconds, queue="slow")
def slow(params, user):
    """Ten rows, which the database takes `seconds` to read; a volatile query is not counted."""
    series = sa.func.generate_series(1, 10).table_valued("n", name="g").render_derived()
    nap = sa.cast(sa.func.pg_sleep(params.seconds / 10), sa.Text)
    return tagged(sa.select(series.c.n).where(nap.is_not(None)), params)


@dataset("deadly", params=Numbers, queue="slow")
def deadly(params, user):
    """What the kernel does to a process that ran out of memory. The API builds queries, too."""
    if sys.argv[1] == "worker":
        os.kill(os.getpid(), signal.SIGKILL)
    return tagged(sa.select(sa.literal(1)), params)


@dataset("keyed", params=Numbers, queue="quick", key="n")
def keyed(params, user):
    """Rows that do not compress well, in shards where the settings say so."""
    return keyed_rows(params)


@dataset("log", params=Numbers, queue="quick", key="n", resumable=True)
def growing(params, user):
    """The same of rows that never change."""
    return keyed_rows(params)


def keyed_rows(params):
    """Of a table: a shard reads its own rows alone. (See `keyed_exports.make_keys`.)"""
    number = keys_table.c.n
    text = sa.func.md5(sa.cast(number, sa.Text))
    rows = sa.select(number, text.label("a"), sa.func.md5(text).label("b"))
    return tagged(rows.where(number <= params.rows), params)
