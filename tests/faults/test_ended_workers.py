"""F99: a worker that starts takes the tasks of killed ones of its home before their leases end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.fault_lab import open_lab
from tests.support.task_store import Worker
from waybill.infra.worker.worker_locks import ended_workers, worker_lock

HOUR = timedelta(hours=1)
_HOLDER = """
import sys
from pathlib import Path
from waybill.infra.worker.worker_locks import worker_lock

with worker_lock(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def worker_process(home: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock of a worker; killed at the end, if not before."""
    command = [sys.executable, "-c", _HOLDER, str(home), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


async def test_f99_a_killed_worker_s_tasks_are_taken_at_the_next_start(tmp_path):
    with open_lab(tmp_path, f"sqlite:///{tmp_path}/tasks.db", lease=HOUR) as lab:
        lab.source.gate.set()
        killed, alive = lab.submit(), lab.submit()
        owner = Worker(lab.engine, HOUR)
        assert owner.claim(killed, "killed")
        assert owner.claim(alive, "alive")
        with worker_process(tmp_path, "alive"), worker_process(tmp_path, "killed") as process:
            process.kill()
            process.wait()
            async with lab.worker():
                row = await lab.ended(killed)
            assert (row["status"], row["attempt"]) == ("SUCCESS", 2)
            untouched = lab.row(alive)
        assert (untouched["lease_owner"], untouched["fence"]) == ("alive", 1)
        assert untouched["lease_expires_at"] > datetime.now(UTC)


def test_f99_a_worker_has_ended_once_and_only_when_its_process_has(tmp_path):
    with worker_process(tmp_path, "host.example-1-abc") as process:
        with ended_workers(tmp_path) as ended:
            assert ended == []
        process.kill()
        process.wait()
        with pytest.raises(RuntimeError), ended_workers(tmp_path) as ended:
            raise RuntimeError
        with ended_workers(tmp_path) as ended:
            assert ended == ["host.example-1-abc"]
        with ended_workers(tmp_path) as ended:
            assert ended == []


def test_f99_without_a_home_to_write_to_a_worker_works_all_the_same(tmp_path):
    home = tmp_path / "a-file"
    home.touch()
    with worker_lock(home, "w"), ended_workers(home) as ended:
        assert ended == []
