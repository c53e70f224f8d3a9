"""Exports of wide rows in shards of a few parts, loaded by Waybill's own processes.

Sheets and parts of archives are small here, so that a file of six shards has a tenth of a gigabyte.
A worker that is about to work on an export reads the orders for it (`Orders`), and arms its own
failpoint. So workers run on from export to export, and die in the one that the seed says.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa
from pydantic import BaseModel

from tests.support.small_pages import OF_A_SHARD, SMALL
from waybill import dataset
from waybill.exporter.formats.registry import FORMATS
from waybill.infra import failpoints

ROWS = 6 * OF_A_SHARD
ORDERS = "SHARDS_ORDERS"


#: Pieces of a megabyte of noise, which do not compress well; the same in each run.
_TABLE = """
CREATE TABLE public.wide (
    id bigint PRIMARY KEY, n int, at timestamp, price numeric(12, 2), share double precision,
    paid boolean, day date, a text, b text, c text
);
ALTER TABLE public.wide
    ALTER a SET STORAGE PLAIN, ALTER b SET STORAGE PLAIN, ALTER c SET STORAGE PLAIN
"""
_FILL = """
WITH noise AS MATERIALIZED (
    SELECT string_agg(sha512(n::text::bytea), '' ORDER BY n) AS bytes
    FROM generate_series(1, 16384) AS n
)
INSERT INTO public.wide
    SELECT id, nullif(id % 1000, 7), timestamp '2026-01-01' + id * interval '1 second',
        CASE WHEN id % 11 > 0 THEN id / 100.0 END, CASE WHEN id % 13 > 0 THEN id / 7.0 END,
        CASE WHEN id % 17 > 0 THEN id % 2 = 0 END,
        CASE WHEN id % 19 > 0 THEN date '2026-01-01' + (id % 365)::int END,
        {texts}
    FROM generate_series(1::bigint, :rows) AS id
"""
#: Lines of base64 end after 76 characters.
_TEXT = """'t' || translate(encode(substring(
            (SELECT bytes FROM noise) FROM (id * {step} % 1000000)::int FOR 256
        ), 'base64'), E'\\n', '')"""
_STEPS = (7919, 104729, 611953)
_COLUMNS = ("id", "n", "at", "price", "share", "paid", "day", "a", "b", "c")
wide = sa.table("wide", *map(sa.column, _COLUMNS), schema="public")


def make_table(engine: sa.Engine, rows: int = ROWS) -> None:
    """The table that is exported."""
    with engine.begin() as connection:
        connection.exec_driver_sql(_TABLE)
        texts = ", ".join(_TEXT.format(step=step) for step in _STEPS)
        connection.execute(sa.text(_FILL.format(texts=texts)), {"rows": rows})
        connection.exec_driver_sql("ANALYZE public.wide")


FORMATS.update(
    {
        name: replace(FORMATS[name], shards=f"tests.support.small_pages:{function}")
        for name, function in SMALL.items()
    }
)


class Params(BaseModel):
    rows: int = ROWS
    #: Of one export: other ones shall not share its run.
    tag: str = ""


@dataclass(frozen=True)
class Orders:
    """Who dies where, in the exports of one installation: files in one folder.

    The first worker that works on an export is its `owner`, and each other one a `helper`.
    """

    folder: Path

    def give(self, tag: str, role: str, order: str) -> None:
        """Let one worker with this role in the export of `tag` die at ``name:hit``."""
        (self.folder / f"{tag}.{role}").write_text(order)

    def armed(self, pid: int) -> str | None:
        """The order that this process has taken."""
        taken = self.folder / f"{pid}.armed"
        return taken.read_text() if taken.exists() else None

    def obey(self, tag: str) -> None:
        """Take the order for this process, if there is one."""
        own = str(os.getpid())
        owner = self.folder / f"{tag}.owned"
        try:
            with owner.open("x") as file:
                file.write(own)
            role = "owner"
        except FileExistsError:
            role = "owner" if owner.read_text() == own else "helper"
        taken = self.folder / f"{own}.armed"
        try:
            (self.folder / f"{tag}.{role}").rename(taken)
        except FileNotFoundError:
            return
        failpoints.arm(taken.read_text())


def settings_of(orders: Orders) -> dict[str, str]:
    """Settings of an installation that exports these rows in shards, a worker one at a time."""
    return {
        "WAYBILL_DATASETS": __file__,
        "WAYBILL_SHARD_FROM_ROWS": "2",
        "WAYBILL_SHARD_ROWS": str(OF_A_SHARD),
        "WAYBILL_CONCURRENCY": "1",
        ORDERS: str(orders.folder),
    }


def rows_of(params: Params) -> sa.Select:
    if (folder := os.environ.get(ORDERS)) and sys.argv[1] == "worker":
        Orders(Path(folder)).obey(params.tag)
    marked = sa.literal(params.tag).is_not(None)
    return sa.select(wide).where(wide.c.id <= params.rows, marked)


@dataset("wide", params=Params, queue="quick", key="id", filename="wide")
def of_a_snapshot(params, user):
    """Rows that may change: without its snapshot an export begins again."""
    return rows_of(params)


@dataset("kept", params=Params, queue="quick", key="id", filename="wide", resumable=True)
def of_rows_that_stay(params, user):
    """The same rows, which never change."""
    return rows_of(params)
