"""Small exports: how many a second two workers end, and where the processor time goes.

20,000 tasks of 300 tenants wait; each is a CSV of 1,000 rows of ten columns. The workers are
``waybill worker`` processes of any source tree, so that two versions can be compared in one run::

    python -m tests.benchmarks.small_exports --baseline ../older-tree

Then the queue is empty and one export at a time is asked for: the time from the commit of the
request to the commit of its link.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
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
from tests.support.servers.rabbitmq import RabbitServer

ROWS = 1_000
_TENANTS = 300
#: The first ten warm the worker up.
_CLICKS = 60
_TICK = os.sysconf("SC_CLK_TCK")

_DATASET = """
import sqlalchemy as sa
from pydantic import BaseModel
from waybill import Principal, dataset

class Params(BaseModel):
    n: int = 0

@dataset("small", params=Params, queue="small", roles={{"sales"}})
def small(params: Params, user: Principal) -> sa.Select:
    rows = sa.table("{table}", sa.column("id"), schema="public")
    return (
        sa.select(sa.literal_column("*")).select_from(rows)
        .where(rows.c.id > -1 - params.n).order_by(rows.c.id)
    )
"""

#: Tasks with everything that submitting one writes, but for the message.
_FILL = """
    INSERT INTO export_task (
        id, tenant_id, created_by, roles, task_type, queue, format, params, filename, status,
        max_attempts, attempt, object_key, etag, size_bytes, sha256, rows_written,
        created_at, updated_at, started_at, finished_at, dedupe_key
    )
    SELECT gen_random_uuid(), 'tenant-' || n %% {tenants}, 'user-' || n %% 7, '["sales"]', 'small',
        'small', 'csv', jsonb_build_object('n', n), 'small.csv', %(status)s, 3,
        %(ended)s::int, 'k', 'e', 1, 's', CASE WHEN %(ended)s = 1 THEN 1000 END,
        now() - n * interval '1 second', now() - n * interval '1 second',
        CASE WHEN %(ended)s = 1 THEN now() - n * interval '1 second' END,
        CASE WHEN %(ended)s = 1 THEN now() - n * interval '1 second' END,
        CASE WHEN %(ended)s = 0 THEN n::text END
    FROM generate_series(1, %(tasks)s) AS n
"""
_WAKE = """
    INSERT INTO outbox (task_id, kind, fence, queue, available_at, published_at)
    SELECT id, 'run', 0, 'small', now(), CASE WHEN row_number() OVER () > 8 THEN now() END
    FROM export_task WHERE status = 'PENDING'
"""


def measure(
    tree: Path,
    servers: Servers,
    broker: RabbitServer,
    *,
    tasks: int,
    ended: int,
    seconds: float,
) -> Figures:
    """Exports a second with `tasks` waiting and `ended` on record, and milliseconds of one."""
    with ExitStack() as stack:
        database = stack.enter_context(servers.postgres.database())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        amqp = broker.url(stack.enter_context(broker.vhost()))
        datasets = _DATASET.format(table=fill_table(database, ROWS))
        installation = Installation(tree, servers, database, amqp, home, datasets)
        connection = stack.enter_context(installation.connect())
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
        fill = _FILL.format(tenants=_TENANTS)
        connection.execute(fill, {"status": "SUCCESS", "ended": 1, "tasks": ended})
        connection.execute(fill, {"status": "PENDING", "ended": 0, "tasks": tasks})
        connection.execute(_WAKE)
        connection.execute("VACUUM ANALYZE export_task")
        connection.execute("VACUUM ANALYZE outbox")
        workers = [stack.enter_context(installation.process("worker")) for _ in range(2)]
        _wait_for(connection, 40)
        figures = _rate(connection, servers, workers, seconds)
        connection.execute("DELETE FROM outbox WHERE published_at IS NULL")
        connection.execute("UPDATE export_task SET status = 'CANCELLED' WHERE status = 'PENDING'")
        figures |= _latency(connection, installation, stack)
    return figures


def _wait_for(connection: psycopg.Connection[Any], finished: int) -> None:
    deadline = time.monotonic() + 120
    while _finished(connection) < finished:
        if time.monotonic() > deadline:
            raise RuntimeError("the workers do not export")
        time.sleep(0.05)


def _finished(connection: psycopg.Connection[Any]) -> int:
    [count] = connection.execute(
        "SELECT count(*) FROM export_task WHERE status = 'SUCCESS' AND object_key <> 'k'"
    ).fetchone() or (0,)
    return int(count)


def _rate(
    connection: psycopg.Connection[Any], servers: Servers, workers: Sequence[int], seconds: float
) -> Figures:
    connection.execute("SELECT public.pg_stat_statements_reset()")
    before = processor_seconds(servers, workers)
    start, done = time.perf_counter(), _finished(connection)
    time.sleep(seconds)
    taken, done = time.perf_counter() - start, _finished(connection) - done
    after = processor_seconds(servers, workers)
    statements = connection.execute(
        "SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), 110), calls,"
        " total_exec_time + total_plan_time FROM public.pg_stat_statements"
        " ORDER BY 3 DESC"
    ).fetchall()
    return {
        "exports": done,
        "exports_per_second": done / taken,
        "core_ms": {name: 1000 * (after[name] - before[name]) / max(1, done) for name in after},
        "statements": sum(row[1] for row in statements) / max(1, done),
        "statement_ms": sum(row[2] for row in statements) / max(1, done),
        "top": [(text, calls / max(1, done), ms / max(1, done)) for text, calls, ms in statements],
    }


def _latency(
    connection: psycopg.Connection[Any], installation: Installation, stack: ExitStack
) -> Figures:
    """Requests committed one by one while the workers are idle, each followed to its end."""
    connection.execute("SELECT public.pg_stat_statements_reset()")
    clicks = stack.enter_context(api_of(installation))
    milliseconds = [_click(connection, clicks, number) for number in range(_CLICKS)]
    [spent] = connection.execute(
        "SELECT sum(total_exec_time + total_plan_time) FROM public.pg_stat_statements"
        " WHERE query NOT LIKE '%finished_at IS NOT NULL AND id = %'"
    ).fetchone() or (0,)
    ordered = sorted(milliseconds[10:])
    return {
        "click_p50_ms": statistics.median(ordered),
        "click_p95_ms": ordered[int(len(ordered) * 0.95)],
        "click_statement_ms": float(spent) / _CLICKS,
    }


def _click(connection: psycopg.Connection[Any], clicks: Clicks, number: int) -> float:
    start = time.perf_counter()
    task_id = clicks.submit({"type": "small", "format": "csv", "params": {"n": 1_000_000 + number}})
    wait_for_end(connection, task_id)
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Measure this tree, and with ``--baseline`` another one in turn with it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--baseline", type=Path)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--ended", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--top", type=int, default=12)
    options = parser.parse_args()
    console = Console(width=150)
    trees = {"this": ROOT} | ({"baseline": options.baseline} if options.baseline else {})
    with (
        private_servers(shared_preload_libraries="pg_stat_statements") as servers,
        private_broker() as broker,
    ):
        for _ in range(options.rounds):
            for name, tree in trees.items():
                figures = measure(
                    tree.resolve(),
                    servers,
                    broker,
                    tasks=options.tasks,
                    ended=options.ended,
                    seconds=options.seconds,
                )
                top = figures.pop("top")
                console.print(name, json.dumps(figures, indent=1))
                for text, calls, ms in top[: options.top]:
                    console.print(f"  {calls:7.2f} × {ms:8.3f} ms  {text}", highlight=False)


if __name__ == "__main__":
    main()
