"""Whether retention keeps up: two million old tasks and 20,000 files whose time has come.

    python -m tests.benchmarks.retention --tasks 2000000 --files 20000 --minutes 10

A sweeper deletes them, as that of a worker does, on private PostgreSQL and SeaweedFS, while
`waybill serve` accepts exports in an open loop and an operator reads the pages under `/admin`. One
JSON document: rows and files deleted in a second; the processor time that a thousand tasks take of
the sweeper and of its sessions in PostgreSQL, which other programs change little; the longest
transaction and wait for a lock of any session; the latency of the POSTs; and what the pages took
before, meanwhile and afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.benchmarks.open_loop import Load, send
from tests.benchmarks.rates import installation, token_of
from tests.support.beside import beside
from waybill.api.session.development_tokens import mint
from waybill.infra.config.settings import load
from waybill.infra.db.engine import create_engine
from waybill.infra.db.installation import installation_id
from waybill.infra.files.object_keys import object_key
from waybill.infra.tasks.lifecycle.maintenance import Maintenance
from waybill.infra.tasks.lifecycle.pruning import Pruning
from waybill.infra.worker.sweeper import Sweeper
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

_POSTS_PER_SECOND = 20
#: What an operator looks at, each page as often as it is answered.
_PAGES = ("/admin", "/admin/storage", "/admin/exports", "/admin/audit-log")
_UPLOADS_AT_ONCE = 16

_OLD_TASKS = """
    INSERT INTO export_task (
        id, tenant_id, created_by, roles, task_type, queue, format, params, filename, status,
        error_code, error_message, attempt, max_attempts, version, created_at, updated_at
    )
    SELECT gen_random_uuid(), 'tenant-' || n %% 30, 'user-' || n %% 300,
        '["sales"]', 'orders', 'orders', 'xlsx', '{"city": null}', 'orders.xlsx', 'FAILED',
        'internal_error', 'An unforeseen error.', 3, 3, 7,
        now() - interval '100 days' - n * interval '1 second',
        now() - interval '100 days' - n * interval '1 second'
    FROM generate_series(1, %(count)s) AS n
"""
_EXPIRED_TASK = """
    INSERT INTO export_task (
        id, tenant_id, created_by, roles, task_type, queue, format, params, filename, status,
        object_key, etag, sha256, size_bytes, rows_written, attempt, max_attempts, version, fence,
        created_at, updated_at, finished_at, expires_at
    ) VALUES (
        :id, 'tenant-1', 'user-1', '["sales"]', 'orders', 'orders', 'csv', '{"city": null}',
        'orders.csv', 'SUCCESS', :key, 'etag', repeat('0', 64), 2, 1, 1, 3, 7, 1,
        now() - interval '8 days', now() - interval '8 days', now() - interval '8 days',
        now() - interval '1 day'
    )
"""
_STORED = """
    INSERT INTO storage_object (key, task_id, fence, state, created_at)
    VALUES (:key, :id, 1, 'STORED', now() - interval '8 days')
"""
_SWEEPER = "sweeper of the benchmark"
_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = :name"
#: All but keys: rows are put in ten times as fast without them, and each is then built at once.
_INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename = 'export_task' AND schemaname = current_schema()
        AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""
_LONGEST = """
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0),
        coalesce(max(extract(epoch FROM clock_timestamp() - state_change))
            FILTER (WHERE wait_event_type = 'Lock'), 0)
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()
"""


def main() -> None:
    """Fill, sweep, say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2_000_000)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=10, help="after which it ends anyway")
    wanted = parser.parse_args()
    with installation(1) as (url, env):
        engine = create_engine(env["WAYBILL_DATABASE_URL"])
        with closing(S3Store(_store_of(env))) as store:
            _fill(engine, store, wanted.tasks, wanted.files)
            people = [
                token_of(env, f"user-{number}", f"tenant-{number % 30}") for number in range(300)
            ]
            body = '{"type":"orders","format":"csv","params":{"city":"%s %%d"}}'
            pages_before = read_pages(url, env)
            alone = send(
                Load(url, ["/api/export-tasks"], people, _POSTS_PER_SECOND, 20, body % "alone")
            )
            with (
                posting(url, people, body % "beside") as posted,
                watching(engine) as longest,
                reading(url, env) as pages_beside,
            ):
                figures = _sweep(env["WAYBILL_DATABASE_URL"], store, wanted.minutes)
        figures |= {
            "pages_before_ms": pages_before,
            "pages_beside_ms": {
                page: [min(found), sorted(found)[len(found) // 2], max(found)]
                for page, found in pages_beside.items()
                if found
            },
            "pages_after_ms": read_pages(url, env),
            "longest_transaction_s": round(longest[0], 2),
            "longest_lock_wait_s": round(longest[1], 2),
            "posts_alone_ms": alone["accepted_ms"],
            "posts_beside_ms": [each["accepted_ms"] for each in posted],
            "posts_beside": [each["statuses"] for each in posted],
        }
        engine.dispose()
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


def _store_of(env: dict[str, str]) -> S3Config:
    return S3Config(
        bucket=env["WAYBILL_S3_BUCKET"],
        endpoint_url=env["WAYBILL_S3_ENDPOINT_URL"],
        access_key_id=env["WAYBILL_S3_ACCESS_KEY_ID"],
        secret_access_key=env["WAYBILL_S3_SECRET_ACCESS_KEY"],
    )


def _fill(engine: Engine, store: S3Store, tasks: int, files: int) -> None:
    began = time.monotonic()
    owner = installation_id(engine)
    with engine.begin() as connection:
        indexes = connection.exec_driver_sql(_INDEXES).all()
        for index in indexes:
            connection.exec_driver_sql(f'DROP INDEX "{index.indexname}"')
        connection.exec_driver_sql(_OLD_TASKS, {"count": tasks})
        for index in indexes:
            connection.exec_driver_sql(index.indexdef)
    sys.stderr.write(f"{tasks} tasks in {time.monotonic() - began:.0f} s\n")
    rows = []
    for number in range(files):
        task_id = UUID(int=number)
        key = object_key(owner, "tenant-1", task_id, 1, "csv")
        rows.append({"id": task_id, "key": key})

    def put(row: dict[str, Any]) -> None:
        with store.open_upload(row["key"], content_type="text/csv") as upload:
            upload.write(b"id")

    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as threads:
        for _ in threads.map(put, rows):
            pass
    with engine.begin() as connection:
        for statement in (_EXPIRED_TASK, _STORED) if rows else ():
            connection.execute(sa.text(statement), rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE) export_task")
    sys.stderr.write(f"filled in {time.monotonic() - began:.0f} s\n")


def _sweep(url: str, store: S3Store, minutes: float) -> dict[str, Any]:
    named = sa.make_url(url).update_query_dict({"application_name": _SWEEPER})
    engine = create_engine(named.render_as_string(hide_password=False))
    sweeper = Sweeper(
        Maintenance(engine),
        store,
        lease=timedelta(seconds=60),
        retry_in=timedelta(0),
        pruning=Pruning(engine),
    )
    before, began = _left(engine), time.monotonic()
    sessions: dict[int, float] = {}
    database_before, own_before = sum(_used(engine, sessions).values()), time.thread_time()
    files_gone = 0.0
    while time.monotonic() < began + minutes * 60:
        more = sweeper.sweep()
        _used(engine, sessions)
        left = _left(engine)
        if not left["files"] and not files_gone:
            files_gone = time.monotonic() - began
        sys.stderr.write(f"{time.monotonic() - began:.0f} s: {left}\n")
        if not more:
            break
    seconds, after = time.monotonic() - began, _left(engine)
    deleted = {name: before[name] - after[name] for name in before}
    thousands = max(deleted["tasks"], 1) / 1000
    engine.dispose()
    return {
        "database_processor_s_per_1000_tasks": round(
            (sum(sessions.values()) - database_before) / thousands, 3
        ),
        "sweeper_processor_s_per_1000_tasks": round(
            (time.thread_time() - own_before) / thousands, 3
        ),
        "seconds": round(seconds, 1),
        "left": after,
        "tasks_per_second": round(deleted["tasks"] / seconds),
        "files_gone_after_s": round(files_gone, 1) or None,
    }


def _used(engine: Engine, sessions: dict[int, float]) -> dict[int, float]:
    """Note what the sweeper's sessions have taken of the processor so far, in seconds, by pid."""
    with engine.connect() as connection:
        pids = connection.execute(sa.text(_SESSIONS), {"name": _SWEEPER}).scalars().all()
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            # utime and stime (proc_pid_stat(5)).
            sessions[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return sessions


def _left(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        tasks = sa.text(
            "SELECT count(*) FROM export_task WHERE updated_at < now() - interval '90 days'"
        )
        files = sa.text("SELECT count(*) FROM storage_object")
        return {
            "tasks": connection.execute(tasks).scalar_one(),
            "files": connection.execute(files).scalar_one(),
        }


@contextmanager
def posting(url: str, people: list[str], body: str) -> Iterator[list[dict[str, Any]]]:
    """Exports are asked for all along; what `send` returned for each 20 seconds of it."""
    found: list[dict[str, Any]] = []

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            wave = body.replace("%d", f"{len(found)} %d")
            found.append(
                send(Load(url, ["/api/export-tasks"], people, _POSTS_PER_SECOND, 20, wave))
            )

    with beside(run, "posts"):
        yield found


def read_pages(url: str, env: dict[str, str]) -> dict[str, float]:
    """Milliseconds that each page of an operator takes, once."""
    found = {}
    with httpx2.Client(base_url=url, headers=_operator(env), timeout=60) as operator:
        for page in _PAGES:
            began = time.monotonic()
            operator.get(page).raise_for_status()
            found[page] = round((time.monotonic() - began) * 1000, 1)
    return found


def _operator(env: dict[str, str]) -> dict[str, str]:
    settings = load(jwt_secret=env["WAYBILL_JWT_SECRET"])
    roles = frozenset({settings.operator_role})
    token = mint(settings, "operator", "tenant-1", roles, timedelta(hours=1))
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def reading(url: str, env: dict[str, str]) -> Iterator[dict[str, list[float]]]:
    """An operator reads all pages every few seconds; the milliseconds of each."""
    found: dict[str, list[float]] = {page: [] for page in _PAGES}

    def run(stop: threading.Event) -> None:
        while not stop.wait(5):
            for page, milliseconds in read_pages(url, env).items():
                found[page].append(milliseconds)

    with beside(run, "operator"):
        yield found


@contextmanager
def watching(engine: Engine) -> Iterator[list[float]]:
    """Seconds of the longest transaction, and of the longest wait for a lock, looked at often."""
    longest = [0.0, 0.0]

    def run(stop: threading.Event) -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not stop.wait(0.05):
                for place, seconds in enumerate(connection.exec_driver_sql(_LONGEST).one()):
                    longest[place] = max(longest[place], float(seconds))

    with beside(run, "watch"):
        yield longest


if __name__ == "__main__":
    main()
