"""The fault bench: one private installation of Waybill, whose processes may be killed.

The servers are real, and so are the processes: `waybill serve` and `waybill worker`, as an
operator starts them. Tasks are asked for over HTTP and watched in the database, so that a
dead API hides nothing. `audit` ends every test.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.auditor import Auditor, Judge, Refusal
from tests.support.eventually import PATIENCE_SECONDS, wait_for
from tests.support.processes import SECRET, environment
from tests.support.servers.ports import free_ports
from tests.support.stored_keys import stored_keys
from waybill.api.session.development_tokens import mint
from waybill.infra.config.settings import load
from waybill.infra.db.engine import create_engine, read_transaction, write_transaction
from waybill.infra.db.migrate import upgrade
from waybill.infra.db.tables import (
    audit_log,
    dead_letter,
    export_shard,
    export_task,
    notification,
    outbox,
    shard_plan,
    snapshot_holder,
    storage_object,
    worker,
)
from waybill.infra.sources.databases import parse_database_url
from waybill.infra.tasks.states import LIVE
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

ROOT = Path(__file__).parents[2]
TASKS = "/api/export-tasks"
#: Long enough for a loaded machine to renew it, short enough to wait for its end.
LEASE = timedelta(seconds=4)
_STOP_SECONDS = 40


@dataclass
class Bench:
    """One installation. Use it through `open_bench`."""

    folder: Path
    env: dict[str, str]
    engine: Engine
    store: S3Store
    client: httpx2.Client
    canaries: tuple[str, ...]
    #: Ids of every task that was answered with 202 and not audited yet.
    accepted: list[str] = field(default_factory=list)
    _standby: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where every process of this installation writes."""
        return self.folder / "waybill.log"

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start `waybill`; `settings` go over those of the installation."""
        process = self._standby or self._warm_up()
        order = {"arguments": arguments, "environment": self.env | settings}
        with process.stdin as orders:
            orders.write(json.dumps(order).encode())
        self._standby = self._warm_up()
        return process

    def _warm_up(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.support.standby"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    @contextmanager
    def worker(self, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """`waybill worker` for as long as the context is open, or until it dies."""
        process = self.start("worker", *arguments, **settings)
        try:
            yield process
        finally:
            end(process)

    @contextmanager
    def api(
        self, *, seconds: float = PATIENCE_SECONDS, **settings: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """`waybill serve`, always on the same port; it has to answer in `seconds`."""
        process = self.start("serve", "--port", str(self.client.base_url.port), **settings)
        try:
            wait_for(lambda: self._answers(process), seconds)
            yield process
        finally:
            end(process)

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self.log.read_text()[-4000:]
        with suppress(httpx2.TransportError):
            return self.client.get("/healthz").is_success
        return False

    def submit(
        self, name: str, *, key: str | None = None, chosen: str = "csv", **params: Any
    ) -> str:
        """Ask for an export in the format `chosen`; the id of its task."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {"type": name, "format": chosen, "params": params}
        answer = self.client.post(TASKS, json=body, headers=headers)
        assert answer.is_success, answer.text
        task_id: str = answer.json()["id"]
        self.accepted.append(task_id)
        return task_id

    def cancel(self, task_id: str) -> httpx2.Response:
        """Cancel a task over HTTP."""
        return self.client.post(f"{TASKS}/{task_id}/cancel")

    def shards(self, task_id: str) -> list[sa.RowMapping]:
        """The shards of a task, in order."""
        query = sa.select(export_shard).where(export_shard.c.task_id == UUID(task_id))
        with read_transaction(self.engine) as connection:
            return list(connection.execute(query.order_by(export_shard.c.number)).mappings())

    @contextmanager
    def ready_workers(
        self, count: int, *arguments: str, **settings: str
    ) -> Iterator[list[subprocess.Popen[bytes]]]:
        """`count` workers that wait for work, for as long as the context is open."""
        with ExitStack() as running:
            workers = [
                running.enter_context(self.worker(*arguments, **settings)) for _ in range(count)
            ]
            wait_for(lambda: all(map(self.has_started, workers)))
            yield workers

    def has_started(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether this worker is ready. What is started next is warm by then, too."""
        with read_transaction(self.engine) as connection:
            names = connection.execute(sa.select(worker.c.name)).scalars()
            return any(f"-{process.pid}-" in name for name in names)

    def holders(self, task_id: str) -> set[str]:
        """The workers that hold the snapshot of a task, or have died with it."""
        query = sa.select(snapshot_holder.c.held_by)
        query = query.where(snapshot_holder.c.task_id == UUID(task_id))
        with read_transaction(self.engine) as connection:
            return set(connection.execute(query).scalars())

    def idle_in_transaction(self) -> int:
        """Sessions that wait within a transaction, such as those that hold a snapshot."""
        query = sa.text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%'"
        )
        with read_transaction(self.engine) as connection:
            return connection.execute(query).scalar_one()

    def details(self, task_id: str, action: str) -> list[dict[str, Any]]:
        """What the audit log says of each time this was done to a task."""
        query = sa.select(audit_log.c.detail).where(
            audit_log.c.task_id == UUID(task_id), audit_log.c.action == action
        )
        with read_transaction(self.engine) as connection:
            return list(connection.execute(query.order_by(audit_log.c.id)).scalars())

    def parts_missing(self, task_id: str) -> set[int]:
        """Parts of written shards that the open upload of a task does not have, as recorded."""
        query = sa.select(shard_plan).where(shard_plan.c.task_id == UUID(task_id))
        with read_transaction(self.engine) as connection:
            plan = connection.execute(query).mappings().one()
        request = {
            "Bucket": self.store.connection.bucket,
            "Key": plan["object_key"],
            "UploadId": plan["upload_id"],
        }
        listed = self.store.connection.call(
            lambda client: list(
                client.get_paginator("list_parts").paginate(**request).search("Parts")
            )
        )
        stored = {part["PartNumber"]: part["ETag"].strip('"') for part in listed if part}
        written = [part for shard in self.shards(task_id) for part in shard["parts"] or ()]
        return {p["number"] for p in written if stored.get(p["number"]) != p["etag"]}

    def rows(self, *task_ids: str) -> list[sa.RowMapping]:
        """The rows of these tasks; of all tasks, when none is named."""
        query = sa.select(export_task)
        if task_ids:
            query = query.where(export_task.c.id.in_([UUID(task_id) for task_id in task_ids]))
        with read_transaction(self.engine) as connection:
            return list(connection.execute(query).mappings())

    def row(self, task_id: str) -> sa.RowMapping:
        """The row of one task."""
        (row,) = self.rows(task_id)
        return row

    def ended(self, *task_ids: str, seconds: float = PATIENCE_SECONDS) -> list[sa.RowMapping]:
        """Wait until all these tasks have ended."""
        wait_for(lambda: not self.live(*task_ids), seconds)
        return self.rows(*task_ids)

    def live(self, *task_ids: str) -> int:
        """How many of these tasks have not ended; of all tasks, when none is named."""
        query = sa.select(sa.func.count()).where(export_task.c.status.in_(LIVE))
        if task_ids:
            query = query.where(export_task.c.id.in_([UUID(task_id) for task_id in task_ids]))
        with read_transaction(self.engine) as connection:
            return connection.execute(query).scalar_one()

    def is_running(self, task_id: str) -> bool:
        """Whether a worker holds the task."""
        return self.row(task_id)["status"] == "PROCESSING"

    def actions(self, task_id: str) -> list[str]:
        """What the audit log says was done to a task, in order."""
        with read_transaction(self.engine) as connection:
            query = sa.select(audit_log.c.action).where(audit_log.c.task_id == UUID(task_id))
            return list(connection.execute(query.order_by(audit_log.c.id)).scalars())

    def dead_letters(self) -> list[sa.RowMapping]:
        """What operators are shown."""
        with read_transaction(self.engine) as connection:
            return list(connection.execute(sa.select(dead_letter)).mappings())

    def execute(self, statement: sa.Executable) -> None:
        """Change the database behind Waybill's back."""
        with write_transaction(self.engine) as connection:
            connection.execute(statement)

    def files(self) -> list[str]:
        """Keys in the bucket: objects first, and then uploads that are open."""
        return [
            *stored_keys(self.store),
            *(f"{item.key} (open)" for item in self.store.list_uploads()),
        ]

    def clear(self) -> None:
        """Forget all tasks and files. The audit log cannot be cleared, which is its point."""
        self.accepted.clear()
        for table in (outbox, dead_letter, export_task, storage_object, notification):
            self.execute(sa.delete(table))
        for upload in self.store.list_uploads():
            self.store.abort_uploads(upload.key)
        for key in stored_keys(self.store):
            self.store.delete(key)

    def audit(self, judge: Judge = lambda row, data: None) -> list[str]:
        """Hold everything that was accepted against the invariants; then start afresh.

        Returns which files the store returned only when it was asked again.
        """
        accepted, self.accepted = self.accepted, []
        with httpx2.Client(timeout=30) as visitor:

            def fetch(key: str) -> bytes | Refusal:
                # Over a link, as users get it.
                ttl = timedelta(minutes=1)
                link = self.store.presign(key, filename="x", content_type="text/csv", ttl=ttl)
                try:
                    answer = visitor.get(link.url)
                except httpx2.TransportError as error:
                    return Refusal(None, repr(error))
                if answer.is_success:
                    return answer.content
                return Refusal(answer.status_code, answer.text)

            auditor = Auditor(
                self.engine,
                self.store,
                fetch,
                log=lambda: self.log.read_text(errors="replace"),
                canaries=self.canaries,
                judge=judge,
            )
            auditor.check(accepted)
            return auditor.late

    def close(self) -> None:
        """End what the bench itself holds."""
        self.client.close()
        self.store.close()
        self.engine.dispose()
        if self._standby is not None:
            self._standby.stdin.close()
            self._standby.wait(_STOP_SECONDS)


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, if it still lives; a process that does not end then fails the test."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def kill(process: subprocess.Popen[bytes]) -> None:
    """`kill -9`."""
    process.kill()
    process.wait(_STOP_SECONDS)


def died(process: subprocess.Popen[bytes], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a process to be killed by its failpoint; one that is not ends here as well."""
    try:
        assert process.wait(seconds) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        kill(process)
        raise


@contextmanager
def open_bench(
    folder: Path, database: str, amqp_url: str, s3: S3Config, **settings: str
) -> Iterator[Bench]:
    """A bench on an empty database, an empty vhost and a bucket that is made for it."""
    s3 = S3Config(**{**_fields(s3), "bucket": f"faults-{secrets.token_hex(6)}"})
    defaults = {
        "WAYBILL_AMQP_URL": amqp_url,
        "WAYBILL_DATASETS": str(ROOT / "tests/support/fault_datasets.py"),
        "WAYBILL_LEASE_SECONDS": str(LEASE.total_seconds()),
        "WAYBILL_RETRY_DELAYS": "0.2,0.5",
        "WAYBILL_SHUTDOWN_GRACE": "0.2",
    }
    env = environment(folder / "home", database, s3, **defaults | settings)
    engine = create_engine(database)
    _prepare(engine)
    store = S3Store(s3)
    store.ensure_bucket()
    (port,) = free_ports(1)
    roles = frozenset({"sales"})
    token = mint(load(jwt_secret=SECRET), "ann", "acme", roles, timedelta(hours=3))
    client = httpx2.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    # Never shown: both passwords, the secrets of the store and of tokens, and any signature.
    password = str(parse_database_url(database).password)
    canaries = (password, s3.secret_access_key or "", SECRET, "X-Amz-Signature", token)
    bench = Bench(folder, env, engine, store, client, canaries)
    try:
        yield bench
    finally:
        bench.close()


def _fields(config: S3Config) -> dict[str, Any]:
    return {name: getattr(config, name) for name in S3Config.__dataclass_fields__}


def _prepare(engine: Engine) -> None:
    upgrade(engine)
    with write_transaction(engine) as connection:
        # The server of the tests commits asynchronously, for speed; a crash of it would lose
        # what was answered with 202, as no server in its right mind does.
        name = engine.url.database
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
        connection.exec_driver_sql("CREATE TABLE ledger (id int PRIMARY KEY, version int)")
        connection.exec_driver_sql("INSERT INTO ledger SELECT n, 1 FROM generate_series(1, 500) n")
    # Sessions that were opened before do not have the setting.
    engine.dispose()


def kill_at(point: str, hit: int = 1) -> dict[str, str]:
    """The environment that lets a process die at a failpoint."""
    return {"FAILPOINT": f"{point}:{hit}"}
