"""One file by many workers: what shards cost and gain, what a lost worker costs, and who waits.

``python -m tests.benchmarks.shards`` prints one JSON object. Every file of the same rows has to
have the same digest, by any number of workers; otherwise the run fails.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console

from tests.benchmarks.installation import (
    ROOT,
    Clicks,
    Installation,
    api_of,
    private_broker,
    processor_seconds,
    wait_for_end,
)
from tests.benchmarks.process import Figures
from tests.benchmarks.servers import Servers, private_servers
from tests.benchmarks.tables import fill_table
from tests.support.benchmark_rows import SCHEMA
from tests.support.servers.rabbitmq import RabbitServer

_SMALL_ROWS = 1_000
#: Before them, ten warm the worker up.
_CLICKS = 50
#: Between two of them, so that they meet all that a large export does.
_BETWEEN_SECONDS = 0.2

_DATASETS = """
import sqlalchemy as sa
from pydantic import BaseModel
from waybill import Principal, dataset

class Params(BaseModel):
    n: int = 0

def rows_of(table, n):
    rows = sa.table(table, *map(sa.column, {columns}), schema="public")
    return sa.select(rows).where(rows.c.id > -1 - n).order_by(rows.c.id)

@dataset("large", params=Params, queue="small", roles={{"sales"}}, key="id", resumable=True)
def large(params: Params, user: Principal) -> sa.Select:
    return rows_of("{large}", params.n)

@dataset("largest", params=Params, queue="small", roles={{"sales"}}, key="id")
def largest(params: Params, user: Principal) -> sa.Select:
    return rows_of("{largest}", params.n)

@dataset("small", params=Params, queue="small", roles={{"sales"}})
def small(params: Params, user: Principal) -> sa.Select:
    return rows_of("{small}", params.n)
"""


def _datasets(database: str, options: argparse.Namespace) -> str:
    """The module of datasets, whose tables are made in `database`."""
    sizes = {"large": options.rows, "largest": options.beside_rows, "small": _SMALL_ROWS}
    tables = {rows: fill_table(database, rows, index=True) for rows in set(sizes.values())}
    names = {name: tables[rows] for name, rows in sizes.items()}
    return _DATASETS.format(**names, columns=SCHEMA.names)


#: The worker dies when the store has the second part of its shard, and no row says so: no moment
#: costs more rows. And just afterwards, which shows how many they are.
_WORST, _NEXT = "shard.part:2", "shard.reached:2"
_NEVER = {"WAYBILL_SHARD_FROM_ROWS": "1000000000000"}


@dataclass
class Bench:
    """One installation, and the exports that were asked of it."""

    servers: Servers
    installation: Installation
    connection: psycopg.Connection[Any]
    clicks: Clicks
    shards: dict[str, str]
    asked: int = 0

    def submit(self, dataset: str, chosen: str) -> str:
        """The id of an export that nobody has asked for yet."""
        self.asked += 1
        return self.clicks.submit({"type": dataset, "format": chosen, "params": {"n": self.asked}})

    def run_large(self, chosen: str, workers: int, settings: dict[str, str]) -> Figures:
        """Seconds, processor seconds and digest of one large export by warm workers."""
        settings = settings | {"WAYBILL_CONCURRENCY": "1"}
        with ExitStack() as stack:
            pids = [
                stack.enter_context(self.installation.process("worker", **settings))
                for _ in range(workers)
            ]
            for _ in pids:
                self._run("small", "csv")
            before, start = processor_seconds(self.servers, pids), time.perf_counter()
            task_id = self._run("large", chosen)
            taken = time.perf_counter() - start
            after = processor_seconds(self.servers, pids)
        row = self.connection.execute(
            "SELECT sha256, size_bytes FROM export_task WHERE id = %s", [task_id]
        ).fetchone()
        digest, size = row or ("", 0)
        core = {f"core_s_{name}": after[name] - before[name] for name in after}
        return {"seconds": taken, "digest": digest, "mib": size / 2**20, **core}

    def lose_worker(self, chosen: str, digest: str) -> Figures:
        """Rows of a shard, and those that are read again when its worker is killed."""
        first, last = (self._lost_at(point, chosen, digest) for point in (_WORST, _NEXT))
        return {"rows_of_a_shard": int(self.shards["WAYBILL_SHARD_ROWS"]), "again": last - first}

    def _lost_at(self, point: str, chosen: str, digest: str) -> int:
        """How many rows were on record when a worker died at `point`; another one goes on."""
        settings = self.shards | {"WAYBILL_CONCURRENCY": "1", "WAYBILL_LEASE_SECONDS": "10"}
        with self.installation.process("worker", **settings, FAILPOINT=point) as pid:
            task_id = self.submit("large", chosen)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        [(rows,)] = self.connection.execute(
            "SELECT (reached ->> 'rows')::int8 FROM export_shard"
            " WHERE task_id = %s AND reached IS NOT NULL",
            [task_id],
        ).fetchall()
        with self.installation.process("worker", **settings):
            wait_for_end(self.connection, task_id)
        [(found,)] = self.connection.execute(
            "SELECT sha256 FROM export_task WHERE id = %s", [task_id]
        ).fetchall()
        if found != digest:
            raise RuntimeError(f"{chosen}: the file of the lost worker has another digest")
        return int(rows)

    def _run(self, dataset: str, chosen: str) -> str:
        task_id = self.submit(dataset, chosen)
        wait_for_end(self.connection, task_id)
        return task_id

    def small_beside(self, chosen: str | None, settings: dict[str, str]) -> Figures:
        """Milliseconds from click to link, idle or while a large export of `chosen` runs."""
        with ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(self.installation.process("worker", **settings))
            for _ in range(10):
                self._run("small", "csv")
            large = self.submit("largest", chosen) if chosen else None
            waited, overtaken = [], 0
            for _ in range(_CLICKS):
                time.sleep(_BETWEEN_SECONDS)
                start = time.perf_counter()
                self._run("small", "csv")
                waited.append(1000 * (time.perf_counter() - start))
                overtaken += large is not None and not self._ended(large)
            if large:
                wait_for_end(self.connection, large)
        ordered = sorted(waited)
        return {
            "p50_ms": statistics.median(ordered),
            "p95_ms": ordered[int(len(ordered) * 0.95)],
            "while_it_ran": overtaken,
        }

    def _ended(self, task_id: str) -> bool:
        found = self.connection.execute(
            "SELECT finished_at FROM export_task WHERE id = %s", [task_id]
        ).fetchone()
        return found is not None and found[0] is not None


def measure(servers: Servers, broker: RabbitServer, options: argparse.Namespace) -> dict[str, Any]:
    """All figures, of one installation."""
    with ExitStack() as stack:
        database = stack.enter_context(servers.postgres.database())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        amqp = broker.url(stack.enter_context(broker.vhost()))
        datasets = _datasets(database, options)
        installation = Installation(ROOT, servers, database, amqp, home, datasets)
        connection = stack.enter_context(installation.connect())
        clicks = stack.enter_context(api_of(installation))
        shards = {
            "WAYBILL_SHARD_FROM_ROWS": "2",
            "WAYBILL_SHARD_ROWS": str(options.shard_rows),
        }
        bench = Bench(servers, installation, connection, clicks, shards)
        figures: dict[str, Any] = {}
        for chosen in options.formats:
            figures[chosen] = _compare(bench, chosen, options)
        figures["small idle"] = bench.small_beside(None, shards)
        for chosen in options.formats:
            figures[f"small beside {chosen} in shards"] = bench.small_beside(chosen, shards)
            figures[f"small beside {chosen} in one piece"] = bench.small_beside(chosen, _NEVER)
        return figures


def _compare(bench: Bench, chosen: str, options: argparse.Namespace) -> dict[str, Any]:
    plain, sharded = [], {count: [] for count in options.workers}
    for _ in range(options.rounds):
        plain.append(bench.run_large(chosen, 1, _NEVER))
        for count, found in sharded.items():
            found.append(bench.run_large(chosen, count, bench.shards))
    digests = {figures["digest"] for found in sharded.values() for figures in found}
    if not all(digest.startswith("sha256-tree:") for digest in digests):
        raise RuntimeError(f"{chosen}: the file was not written in shards")
    if len(digests) != 1:
        raise RuntimeError(f"the same rows gave files of {len(digests)} digests: {digests}")
    best = {"plain": _least(plain)} | {
        f"shards by {count}": _least(found) for count, found in sharded.items()
    }
    one = best[f"shards by {options.workers[0]}"]
    [digest] = digests
    best["rows read again after a loss"] = bench.lose_worker(chosen, digest)
    best["processor time / plain"] = {
        name: one[name] / best["plain"][name] for name in one if name.startswith("core_s_")
    }
    return best


def _least(runs: Sequence[Figures]) -> Figures:
    """The least of each figure."""
    return {name: min(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--beside-rows", type=int, default=10_000_000)
    parser.add_argument("--shard-rows", type=int, default=1_048_575)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--formats", nargs="+", default=["xlsx", "csv.gz"])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with private_servers() as servers, private_broker() as broker:
        Console().print_json(data=measure(servers, broker, options))


if __name__ == "__main__":
    main()
