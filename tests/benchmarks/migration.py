"""How long requests wait while the tables of an installation with years of tasks are migrated.

    python -m tests.benchmarks.migration --tasks 2000000 --entries 5000000

Fills the tables of version 0.1 in a private PostgreSQL, and has a version of today migrate them,
while requests and heartbeats as those of the version before are written at a fixed rate. One JSON
document: the seconds of the migration, and the milliseconds of each write, alone and beside it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine

from tests.support.beside import beside
from tests.support.earlier_writes import begin_task, write
from tests.support.servers.postgres import PostgresServer
from waybill.infra.db.engine import create_engine, write_transaction
from waybill.infra.db.migrate import upgrade

_FIRST = "0001"
_WRITES_PER_SECOND = 20
_SECONDS_ALONE = 10
_TASKS = """
    INSERT INTO export_task (
        id, tenant_id, created_by, roles, task_type, queue, format, params, filename, status,
        max_attempts, created_at, updated_at
    )
    SELECT gen_random_uuid(), 'tenant-' || mod(n, 300), 'user-' || mod(n, 3000), '["sales"]',
        'orders', 'orders', 'xlsx', '{{"city": null}}', 'orders.xlsx', 'FAILED', 3,
        now() - n * interval '10 seconds', now() - n * interval '10 seconds'
    FROM generate_series(1, {count}) AS n
"""
_ENTRIES = """
    INSERT INTO audit_log (at, tenant_id, actor, action)
    SELECT now() - n * interval '10 seconds', 'tenant-' || mod(n, 300), 'user-' || mod(n, 3000),
        'submit'
    FROM generate_series(1, {count}) AS n
"""


def main() -> None:
    """Fill, migrate, say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2_000_000)
    parser.add_argument("--entries", type=int, default=5_000_000, help="of the audit log")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="waybill-migration-"))
    server = PostgresServer(folder)
    try:
        server.start()
        engine = create_engine(server.url())
        figures = _migrate(engine, wanted.tasks, wanted.entries)
        engine.dispose()
    finally:
        server.stop(immediate=True)
        shutil.rmtree(folder)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


def _migrate(engine: Engine, tasks: int, entries: int) -> dict[str, Any]:
    upgrade(engine, _FIRST)
    began = time.monotonic()
    with write_transaction(engine) as connection:
        task = begin_task(connection)
        connection.exec_driver_sql(_TASKS.format(count=tasks))
        connection.exec_driver_sql(_ENTRIES.format(count=entries))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE)")
    sys.stderr.write(f"filled in {time.monotonic() - began:.0f} s\n")
    with writing(engine, task) as alone:
        time.sleep(_SECONDS_ALONE)
    began = time.monotonic()
    with writing(engine, task) as beside:
        upgrade(engine)
        seconds = time.monotonic() - began
    return {
        "tasks": tasks,
        "entries": entries,
        "migration_s": round(seconds, 1),
        "writes_alone_ms": _summary(alone),
        "writes_beside_ms": _summary(beside),
    }


@contextmanager
def writing(engine: Engine, task: str) -> Iterator[list[float]]:
    """A request and a heartbeat at a fixed rate; the milliseconds that each took, late or not."""
    found: list[float] = []

    def run(stop: threading.Event) -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            write(engine, task)
            found.append((time.monotonic() - due) * 1000)
            due += 1 / _WRITES_PER_SECOND

    with beside(run, "writes"):
        yield found


def _summary(milliseconds: list[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    places = {"p50": 0.5, "p99": 0.99, "longest": 1.0}
    return {"count": len(ordered)} | {
        name: round(ordered[min(int(place * len(ordered)), len(ordered) - 1)], 1)
        for name, place in places.items()
    }


if __name__ == "__main__":
    main()
