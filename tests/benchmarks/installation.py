"""An installation of a benchmark: its database, its processes, and what they cost."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from tests.benchmarks.servers import Servers
from tests.support.servers.ports import free_ports
from tests.support.servers.rabbitmq import RabbitServer

_TICK = os.sysconf("SC_CLK_TCK")


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


#: The tree of this file.
ROOT = Path(__file__).parents[2]
_LIMITS = ("WAYBILL_MAX_SUBMITS_PER_MINUTE", "WAYBILL_MAX_SUBMITS_PER_MINUTE_PER_TENANT")
#: Not `-m waybill`: older trees, which are measured too, cannot be started so.
_MAIN = ("-c", "from waybill.api.cli.main import main; main()")


class Installation:
    """The task tables in a database of their own, and the processes of one source tree."""

    def __init__(
        self, tree: Path, servers: Servers, database: str, amqp: str, home: Path, datasets: str
    ) -> None:
        """`datasets` is the text of the module that declares what is exported."""
        self._libpq = sa.make_url(database).set(drivername="postgresql").render_as_string(False)
        s3 = servers.s3
        self._home = home
        module = home / "datasets.py"
        module.write_text(datasets)
        # An older tree needs what it was made for.
        own = tree / ".venv/bin/python"
        self._waybill = (str(own if own.exists() else sys.executable), *_MAIN)
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(tree / ".src"),
            "WAYBILL_HOME": str(home),
            "WAYBILL_DATABASE_URL": database,
            "WAYBILL_AMQP_URL": amqp,
            "WAYBILL_DATASETS": str(module),
            "WAYBILL_S3_ENDPOINT_URL": s3["endpoint_url"],
            "WAYBILL_S3_BUCKET": s3["bucket"],
            "WAYBILL_S3_ACCESS_KEY_ID": s3["access_key_id"],
            "WAYBILL_S3_SECRET_ACCESS_KEY": s3["secret_access_key"],
            "WAYBILL_S3_REGION": s3["region"],
            "WAYBILL_JWT_SECRET": secrets.token_hex(32),
        }
        if tree == ROOT:
            # Older trees may not know these.
            self._environment |= dict.fromkeys(_LIMITS, "100000")
        self.run("migrate")

    def run(self, *command: str) -> str:
        """The output of one command, to its end."""
        done = subprocess.run(
            [*self._waybill, *command],
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
    def process(self, *command: str, **settings: str) -> Iterator[int]:
        """One running process with these settings, by its id."""
        with (self._home / "processes.log").open("ab") as log:
            process = subprocess.Popen(
                [*self._waybill, *command],
                env=self._environment | settings,
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


class Clicks:
    """Requests of one user at an API of the installation."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def submit(self, body: Mapping[str, Any]) -> str:
        """The id of the task that the API accepts."""
        # The API closes connections that are idle.
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as api:
            api.request("POST", "/api/export-tasks", json.dumps(body), self._headers)
            answer = api.getresponse()
            task = json.load(answer)
        if answer.status != 202:
            raise RuntimeError(f"the API answered {answer.status}: {task}")
        return str(task["id"])


@contextmanager
def api_of(installation: Installation, **settings: str) -> Iterator[Clicks]:
    """A running API, and a user of it."""
    port = free_ports(1)[0]
    token = installation.run("token", "--user", "u", "--tenant", "latency", "--role", "sales")
    with installation.process("serve", "--port", str(port), **settings):
        _wait_for_port(port)
        yield Clicks(port, token.strip())


def wait_for_end(connection: psycopg.Connection[Any], task_id: str) -> None:
    """Until the task has succeeded, looked at every two milliseconds."""
    while True:
        found = connection.execute(
            "SELECT status FROM export_task WHERE finished_at IS NOT NULL AND id = %s", [task_id]
        ).fetchone()
        if found:
            if found[0] != "SUCCESS":
                raise RuntimeError(f"an export ended as {found[0]}")
            return
        time.sleep(0.002)


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise RuntimeError("the API did not start")


def processor_seconds(servers: Servers, workers: Sequence[int]) -> dict[str, float]:
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
