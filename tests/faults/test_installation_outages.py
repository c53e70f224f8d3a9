"""Faults of the installation: they cost time, and no task an attempt (F80 to F83)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.eventually import wait_for
from tests.support.fault_bench import Bench, end
from tests.support.processes import WAYBILL
from tests.support.servers.tcp_proxy import TcpProxy

#: More than a worker runs at once, and more than an attempt for each would be.
EXPORTS = 12
#: A slow machine lets the bench's lease of 2 s end, which counts an attempt.
PATIENT = {"WAYBILL_LEASE_SECONDS": "30"}
STOPPED = "claims stopped: a part of the installation is away"


@pytest.fixture
def store_proxy(s3_config) -> Iterator[TcpProxy]:
    with TcpProxy(int(s3_config.endpoint_url.rsplit(":", 1)[1])) as proxy:
        yield proxy


def port(proxy: TcpProxy) -> str:
    return f"127.0.0.1:{proxy.port}"


def submit_some(bench: Bench, name: str) -> list[str]:
    return [bench.submit("numbers", tag=f"{name}-{number}") for number in range(EXPORTS)]


def assert_nothing_was_counted(bench: Bench, tasks: list[str]) -> None:
    rows = bench.ended(*tasks)
    assert {(row["status"], row["attempt"], row["retry_count"]) for row in rows} == {
        ("SUCCESS", 1, 0)
    }
    assert {row["waiting_since"] for row in rows} == {None}
    assert bench.dead_letters() == []


def test_f80_while_the_store_is_away_exports_wait_and_none_fails(api, clean, store_proxy):
    """TORTURE2 3c: 56 of 60 exports failed when the store was away for a minute."""
    with clean.worker(**PATIENT, WAYBILL_S3_ENDPOINT_URL=f"http://{port(store_proxy)}"):
        (before,) = clean.ended(clean.submit("numbers", tag="before"))
        assert before["status"] == "SUCCESS"
        store_proxy.refuse()
        tasks = submit_some(clean, "f80")
        # All of them say what they wait for, those too that no worker has tried.
        wait_for(lambda: {row["waiting_for"] for row in clean.rows(*tasks)} == {"storage"})
        task = clean.client.get(f"/api/export-tasks/{tasks[-1]}").json()
        assert (task["status"], task["waiting"]["component"]) == ("PENDING", "storage")
        assert STOPPED in clean.log.read_text()
        store_proxy.heal()
        assert_nothing_was_counted(clean, tasks)
    tried = [task_id for task_id in tasks if "postpone" in clean.actions(task_id)]
    # Those that ran when it went away, and no more: the worker has stopped claiming.
    assert 0 < len(tried) <= 4
    assert clean.log.read_text().count(STOPPED) == 1
    assert "claims go on" in clean.log.read_text()
    clean.audit()


def test_f81_while_the_source_database_is_away_exports_wait_and_none_fails(
    api, clean, postgres_server, database_proxy
):
    """TORTURE2 3d: 51 of 60 exports failed."""
    rows_url = clean.env["WAYBILL_DATABASE_URL"].replace(
        f":{postgres_server.port}/", f":{database_proxy.port}/"
    )
    with clean.worker(**PATIENT, WAYBILL_SOURCE_URL=rows_url):
        clean.ended(clean.submit("numbers", tag="before"))
        database_proxy.refuse()
        tasks = submit_some(clean, "f81")
        wait_for(lambda: {row["waiting_for"] for row in clean.rows(*tasks)} == {"source"})
        database_proxy.heal()
        assert_nothing_was_counted(clean, tasks)
    clean.audit()


def test_f82_what_does_not_come_back_ends_the_task_after_a_time(api, clean, store_proxy):
    store = {"WAYBILL_S3_ENDPOINT_URL": f"http://{port(store_proxy)}"}
    with clean.worker(**store, WAYBILL_GIVE_UP_AFTER="2"):
        clean.ended(clean.submit("numbers", tag="before"))
        store_proxy.refuse()
        tasks = [clean.submit("numbers", tag=f"f82-{number}") for number in range(3)]
        rows = clean.ended(*tasks)
        assert {(row["status"], row["error_code"]) for row in rows} == {
            ("FAILED", "storage_unavailable")
        }
        wait_for(lambda: len(clean.dead_letters()) == 3)
    store_proxy.heal()
    clean.audit()


def test_f83_a_worker_with_a_wrong_clock_ends_and_another_one_does_its_work(
    api, clean, tmp_path: Path
):
    """TORTURE2 7c: it failed 27 of 60 exports in milliseconds each, and so got the most."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    env = (
        clean.env
        | PATIENT
        | {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    )
    log = tmp_path / "ill.log"
    with log.open("ab") as output:
        ill = subprocess.Popen(
            [WAYBILL, "worker"], env=os.environ | env, stdout=output, stderr=output
        )
    try:
        clean.ended(clean.submit("numbers", tag="before"))
        clock.write_text("+20m")
        tasks = submit_some(clean, "f83")
        wait_for(lambda: ill.poll() is not None, 120)
        assert ill.returncode == 1, log.read_text()
        assert "The clock of this worker is 20 min ahead of the task database's" in log.read_text()
        with clean.worker(**PATIENT):
            assert_nothing_was_counted(clean, tasks)
    finally:
        end(ill)
    clean.audit()
