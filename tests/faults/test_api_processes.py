"""F101: several API processes on one socket, of which some die."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.support.event_reader import EventReader
from tests.support.eventually import wait_for
from tests.support.processes import WAYBILL, environment, run
from tests.support.servers.ports import free_ports
from tests.support.servers.task_api import NO_TLS, TASKS
from waybill.api.cli.api_processes import stop_with_parent
from waybill.api.cli.serve import stop_on_signals

pytestmark = pytest.mark.slow

PROCESSES = 2


@dataclass
class Served:
    """`waybill serve --workers 2` with the worker and the store inside, on SQLite."""

    process: subprocess.Popen[bytes]
    url: str
    token: str
    log: Path

    def children(self) -> set[int]:
        """The API processes."""
        return children_of(self.process.pid)

    def ask(self, path: str, **options: object) -> httpx2.Response:
        """A request on a connection of its own, which either process may accept."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx2.Client(base_url=self.url, headers=headers, verify=NO_TLS, timeout=30) as client:
            return client.request("POST" if options else "GET", path, **options)

    def answers(self) -> bool:
        with suppress(httpx2.TransportError):
            return self.ask("/healthz").status_code == 200
        return False

    def logged(self, event: str) -> list[dict]:
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line for line in lines if line["event"].startswith(event)]


def children_of(pid: int) -> set[int]:
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(pid) for pid in pids.split() if is_api(int(pid))}


def is_api(pid: int) -> bool:
    with suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    (port,) = free_ports(1)
    env = environment(folder / "home", f"sqlite:///{folder}/tasks.db")
    log = folder / "waybill.log"
    made = run(env, "token", "--user", "ann", "--tenant", "acme", "--role", "sales")
    command = [WAYBILL, "serve", "--port", str(port), "--workers", str(PROCESSES)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    served = Served(process, f"http://127.0.0.1:{port}", made.stdout.strip(), log)
    try:
        wait_for(served.answers)
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def test_f101_processes_share_streams_and_tasks_are_replaced_and_end_together(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as served:
        wait_for(lambda: len(served.children()) == PROCESSES)
        first = served.children()
        headers = {"Authorization": f"Bearer {served.token}"}
        with (
            httpx2.Client(headers=headers, verify=NO_TLS, timeout=60) as client,
            client.stream("GET", f"{served.url}{TASKS}/events") as stream,
        ):
            events = EventReader(stream)
            assert events.next().kind == "reset"
            # Whichever process is asked.
            for _ in range(8):
                assert "\nwaybill_event_streams 1.0\n" in served.ask("/metrics").text
            request = {"type": "orders", "format": "csv", "params": {}}
            task = served.ask(TASKS, json=request).json()
            seen = (event.data for event in events if event.kind == "task")
            # The worker is in the parent; the task may have been submitted to the other process.
            assert next(data for data in seen if data["attempt"])["id"] == task["id"]
            # Counted by one of the processes and by their parent, and shown by each.
            for _ in range(8):
                text = served.ask("/metrics").text
                assert '{dataset="orders",result="queued"} 1.0\n' in text
                assert 'waybill_queue_wait_seconds_count{queue="orders"} 1.0\n' in text

        os.kill(victim := min(first), signal.SIGKILL)
        wait_for(lambda: len(served.children() - first) == 1 and victim not in served.children())
        [line] = served.logged("API process ended")
        assert (line["pid"], line["exit_code"]) == (victim, -signal.SIGKILL)
        for _ in range(8):
            assert served.answers()

        last = served.children()
        # As a terminal and systemd do, each process gets the signal, and the children two.
        for pid in (served.process.pid, *last):
            # The parent may have ended its children by then.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        assert served.process.wait(60) == 0
    assert not any(map(is_api, last))
    assert not served.logged("API process does not end")


def _idle() -> None:
    """An API process without an API."""

    async def wait() -> None:
        stop = stop_on_signals()
        stop_with_parent(stop)
        await stop.wait()

    asyncio.run(wait())


def test_f101_no_process_outlives_a_parent_that_was_killed() -> None:
    code = (
        "import asyncio; from tests.faults.test_api_processes import _idle;"
        " from waybill.api.cli.api_processes import keep_running;"
        f" asyncio.run(keep_running(_idle, {PROCESSES} * [()], asyncio.Event()))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_for(lambda: len(children_of(parent.pid)) == PROCESSES)
        children = children_of(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: not any(map(is_api, children)))
