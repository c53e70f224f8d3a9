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
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from rich.console import Console

from tests.benchmarks.process import Figures
from tests.benchmarks.servers import Servers, private_servers
from tests.benchmarks.tables import fill_table
from tests.support.servers.ports import free_ports
from tests.support.servers.rabbitmq import RabbitServer

ROOT = Path(__file__).parents[2]
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


@contextmanager
def private_broker() -> Iterator[RabbitServer]:
    """A RabbitMQ of the run."""
    with tempfile.TemporaryDirectory() as folder:
        server = RabbitServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.close()


class Installation:
    """The task tables in a database of their own, and the processes of one source tree."""

    def __init__(self, tree: Path, servers: Servers, database: str, amqp: str, home: Path) -> None:
        self._libpq = sa.make_url(database).set(drivername="postgresql").render_as_string(False)
        s3 = servers.s3
        self._home = home
        datasets = home / "datasets.py"
        datasets.write_text(_DATASET.format(table=fill_table(database, ROWS)))
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(tree / ".src"),
            "WAYBILL_HOME": str(home),
            "WAYBILL_DATABASE_URL": database,
            "WAYBILL_AMQP_URL": amqp,
            "WAYBILL_DATASETS": str(datasets),
            "WAYBILL_S3_ENDPOINT_URL": s3["endpoint_url"],
            "WAYBILL_S3_BUCKET": s3["bucket"],
            "WAYBILL_S3_ACCESS_KEY_ID": s3["access_key_id"],
            "WAYBILL_S3_SECRET_ACCESS_KEY": s3["secret_access_key"],
            "WAYBILL_S3_REGION": s3["region"],
            "WAYBILL_JWT_SECRET": secrets.token_hex(32),
            "WAYBILL_MAX_SUBMITS_PER_MINUTE": "100000",
            "WAYBILL_MAX_SUBMITS_PER_MINUTE_PER_TENANT": "100000",
        }
        self.run("migrate")

    def run(self, *command: str) -> str:
        """The output of one command, to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "waybill", *command],
            env=self._environment,
            cwd=self._home,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    @contextmanager
    def process(self, *command: str) -> Iterator[int]:
        """One running process, by its id."""
        with (self._home / "processes.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "waybill", *command],
                env=self._environment,
                cwd=self._home,
                stdout=log,
                stderr=log,
            )
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()

    def connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self._libpq, autocommit=True)
        connection.execute("SET search_path = waybill, public")
        return connection


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
        installation = Installation(tree, servers, database, amqp, home)
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
    before = _processor_seconds(servers, workers)
    start, done = time.perf_counter(), _finished(connection)
    time.sleep(seconds)
    taken, done = time.perf_counter() - start, _finished(connection) - done
    after = _processor_seconds(servers, workers)
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


def _processor_seconds(servers: Servers, workers: Sequence[int]) -> dict[str, float]:
    """By program, of all that runs now and of children that have ended."""
    stats = _stats()
    postmaster = servers.postgres.pid
    stores = {pid for pid, (name, _, _) in stats.items() if name == "weed"}
    ours = os.getpid()

    def below(pid: int, top: set[int]) -> bool:
        while pid > 1 and pid != ours:
            if pid in top:
                return True
            pid = stats[pid][1] if pid in stats else 0
        return False

    tops = {"worker": set(workers), "postgres": {postmaster}, "store": stores}
    return {
        name: sum(ticks for pid, (_, _, ticks) in stats.items() if below(pid, top)) / _TICK
        for name, top in tops.items()
    }


def _stats() -> dict[int, tuple[str, int, int]]:
    """Name, parent and ticks of every process, its waited-for children included."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                head, _, rest = (folder / "stat").read_text().rpartition(")")
                fields = rest.split()
                ticks = sum(int(field) for field in fields[11:15])
                found[int(folder.name)] = (head.partition("(")[2], int(fields[1]), ticks)
    return found


def _latency(
    connection: psycopg.Connection[Any], installation: Installation, stack: ExitStack
) -> Figures:
    """Requests committed one by one while the workers are idle, each followed to its end."""
    port = free_ports(1)[0]
    stack.enter_context(installation.process("serve", "--port", str(port)))
    connection.execute("SELECT public.pg_stat_statements_reset()")
    token = installation.run("token", "--user", "u", "--tenant", "latency", "--role", "sales")
    _wait_for_port(port)
    api = HTTPConnection("127.0.0.1", port, timeout=60)
    milliseconds = [_click(connection, api, token.strip(), number) for number in range(_CLICKS)]
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


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise RuntimeError("the API did not start")


def _click(
    connection: psycopg.Connection[Any], api: HTTPConnection, token: str, number: int
) -> float:
    body = json.dumps({"type": "small", "format": "csv", "params": {"n": 1_000_000 + number}})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    start = time.perf_counter()
    api.request("POST", "/api/export-tasks", body, headers)
    answer = api.getresponse()
    task = json.load(answer)
    if answer.status != 202:
        raise RuntimeError(f"the API answered {answer.status}: {task}")
    while True:
        found = connection.execute(
            "SELECT status FROM export_task WHERE finished_at IS NOT NULL AND id = %s", [task["id"]]
        ).fetchone()
        if found:
            if found[0] != "SUCCESS":
                raise RuntimeError(f"an export ended as {found[0]}")
            return 1000 * (time.perf_counter() - start)
        time.sleep(0.002)


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
