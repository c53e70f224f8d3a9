"""How many exports the API accepts in a second, and how many clicks on share links it answers.

    python -m tests.benchmarks.rates --workers 2 --posts 200 --clicks 400 --seconds 20

`waybill serve` runs as an operator starts it, on private PostgreSQL, RabbitMQ and SeaweedFS, and is
asked in an open loop (`open_loop.py`) by 300 users of 30 tenants. The exports wait: no worker runs.
One JSON line for each rate; `cores` is what each program took of the machine meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from tests.benchmarks.open_loop import Load, send
from tests.benchmarks.servers import private_servers
from tests.support import processes
from tests.support.eventually import wait_for
from tests.support.servers.ports import free_ports
from tests.support.servers.rabbitmq import RabbitServer
from waybill.api.session.development_tokens import mint
from waybill.infra.config.settings import load
from waybill.storage.config import S3Config

_TASKS = "/api/export-tasks"
_TENANTS, _USERS = 30, 10
_LINKS = 50
_WARM_UP = 2.0
_BODY = '{"type":"orders","format":"csv","params":{"city":"city %d"}}'
#: Nobody is refused for a limit or a rate of their own.
_NO_LIMITS = {
    "WAYBILL_MAX_QUEUED_PER_USER": "1000000",
    "WAYBILL_MAX_QUEUED_PER_TENANT": "1000000",
    "WAYBILL_MAX_SUBMITS_PER_MINUTE": "1000000",
    "WAYBILL_MAX_SUBMITS_PER_MINUTE_PER_TENANT": "1000000",
    "WAYBILL_LEASE_SECONDS": "60",
    "WAYBILL_RETRY_DELAYS": "2,8,30,120",
}
#: The first one that a command line contains.
_PROGRAMS = {
    "postgres": "postgres",
    "beam.smp": "rabbitmq",
    "weed": "seaweedfs",
    "open_loop": "clients",
    "spawn_main": "api",
    "bin/waybill": "api",
}


def main() -> None:
    """Start everything, and send what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1, help="API processes")
    parser.add_argument("--posts", type=float, nargs="*", default=[200], help="exports a second")
    parser.add_argument("--clicks", type=float, nargs="*", default=[400], help="clicks a second")
    parser.add_argument("--seconds", type=float, default=20, help="of each rate")
    wanted = parser.parse_args()
    with installation(wanted.workers) as (url, env):
        tenants = [f"tenant-{number}" for number in range(_TENANTS)]
        people = [
            token_of(env, f"user-{number}", tenant)
            for number in range(_USERS)
            for tenant in tenants
        ]
        links = _shared(url, env)
        colleagues = [token_of(env, f"user-{number}", "shop") for number in range(_USERS * 5)]
        seconds = wanted.seconds
        for number, rate in enumerate(wanted.posts):
            # Different from those before, of which each is answered with its task.
            body = _BODY.replace("city ", f"city {number} ")
            _measure(Load(url, [_TASKS], people, rate, seconds, body), wanted.workers)
        for rate in wanted.clicks:
            _measure(Load(url, links, colleagues, rate, seconds), wanted.workers)


def _measure(load: Load, workers: int) -> None:
    warm = load.body and load.body.replace("city", "warm")
    send(replace(load, rate=min(100, load.rate), seconds=_WARM_UP, body=warm))
    before, began = _processor_seconds(), time.monotonic()
    figures = send(load)
    seconds = time.monotonic() - began
    cores = {
        name: round((used - before.get(name, 0.0)) / seconds, 2)
        for name, used in _processor_seconds().items()
    }
    what = "click" if load.body is None else "POST"
    line = {"what": what, "rate": load.rate, "workers": workers, **figures, "cores": cores}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


@contextmanager
def installation(workers: int) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of `waybill serve` and its environment."""
    (port,) = free_ports(1)
    with private_servers() as servers, tempfile.TemporaryDirectory() as folder:
        broker_folder = Path(folder) / "rabbitmq"
        broker_folder.mkdir()
        broker = RabbitServer(broker_folder)
        broker.start()
        try:
            env = processes.environment(
                Path(folder) / "home",
                servers.postgres.url(),
                S3Config(**servers.s3),
                WAYBILL_AMQP_URL=broker.url(),
                **_NO_LIMITS,
            )
            made = processes.run(env, "sample", "--orders", "2000")
            assert made.returncode == 0, made.stderr
            log, url = Path(folder) / "waybill.log", f"http://127.0.0.1:{port}"
            serve = ("serve", "--port", str(port), "--workers", str(workers))
            with processes.process(env, log, *serve):
                wait_for(lambda: _answers(url))
                yield url, env
        finally:
            broker.close()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def token_of(env: Mapping[str, str], user: str, tenant: str) -> str:
    """A token of a user who may export the sample shop."""
    settings = load(jwt_secret=env["WAYBILL_JWT_SECRET"])
    return mint(settings, user, tenant, frozenset({"sales"}), timedelta(hours=1))


def _shared(url: str, env: dict[str, str]) -> Sequence[str]:
    """The paths of links to one finished export."""
    headers = {"Authorization": f"Bearer {token_of(env, 'owner', 'shop')}"}
    with (
        httpx2.Client(base_url=url, headers=headers, timeout=60) as owner,
        processes.process(env, Path(env["WAYBILL_HOME"]).parent / "worker.log", "worker"),
    ):
        asked = owner.post(_TASKS, json={"type": "orders", "format": "csv", "params": {}})
        task: dict[str, Any] = processes.ended(owner, asked.json()["id"])
        assert task["status"] == "SUCCESS", task
        links = [owner.post(f"{_TASKS}/{task['id']}/links", json={}) for _ in range(_LINKS)]
        return [f"/d/{link.json()['token']}" for link in links]


def _processor_seconds() -> dict[str, float]:
    """What the programs of all processes of this machine have taken so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    used: dict[str, float] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        name = next((what for part, what in _PROGRAMS.items() if part in command), "other")
        # utime and stime (proc_pid_stat(5)).
        used[name] = used.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / ticks
    return used


if __name__ == "__main__":
    main()
