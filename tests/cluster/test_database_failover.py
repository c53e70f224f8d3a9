"""An asynchronous standby of PostgreSQL takes over from its primary (F97, F98)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx2
import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from tests.support.eventually import wait_for
from tests.support.fault_bench import Bench, open_bench
from waybill.infra.db.engine import create_engine, read_transaction, write_transaction

_SECONDS = 300.0


def test_f97_a_url_with_both_hosts_leads_to_the_one_that_takes_writes(postgres_pair):
    with postgres_pair.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (n int)")
        postgres_pair.catch_up()
        postgres_pair.disconnect()
        engine = create_engine(url)
        try:
            with write_transaction(engine) as tables:
                tables.exec_driver_sql("INSERT INTO kept VALUES (1)")
            postgres_pair.fail_over()

            def taken() -> bool:
                # The connection of the pool is dead, or meets what is a standby still.
                with suppress(OperationalError), write_transaction(engine) as tables:
                    tables.exec_driver_sql("INSERT INTO kept VALUES (2)")
                    return True
                return False

            wait_for(taken, _SECONDS)
            with read_transaction(engine) as tables:
                assert tables.exec_driver_sql("SELECT n FROM kept").scalars().all() == [2]
        finally:
            engine.dispose()


@pytest.mark.timeout(900)
def test_f98_api_and_workers_go_on_after_a_failover_and_lose_no_accepted_task(
    postgres_pair, rabbitmq_server, s3_config, tmp_path
):
    with (
        postgres_pair.database() as database,
        rabbitmq_server.vhost() as vhost,
        open_bench(tmp_path, database, rabbitmq_server.url(vhost), s3_config) as bench,
    ):
        # Otherwise what was answered with 202 in the last moment may be lost, as documented.
        postgres_pair.replicate_synchronously()
        with bench.api(), bench.worker(), bench.worker():
            asked = [bench.submit("numbers", tag=f"before {number}") for number in range(5)]
            asked.append(bench.submit("slow", seconds=10))
            wait_for(lambda: bench.is_running(asked[-1]))
            with ThreadPoolExecutor(3) as threads:
                during = [
                    threads.submit(submit_until_accepted, bench, f"during {number}")
                    for number in range(20)
                ]
                postgres_pair.fail_over()
                asked += [accepted.result() for accepted in during]
            bench.engine.dispose()
            asked += [bench.submit("numbers", tag=f"after {number}") for number in range(5)]
            ended = bench.ended(*asked, seconds=_SECONDS)
            assert [row["status"] for row in ended] == ["SUCCESS"] * len(asked)
            bench.audit()


def submit_until_accepted(bench: Bench, tag: str) -> str:
    """Ask with one key until there is an answer, as a client does."""

    def accepted() -> str | None:
        with suppress(httpx2.TransportError, AssertionError):
            return bench.submit("numbers", key=tag.replace(" ", "-"), tag=tag)
        return None

    task_id = wait_for(accepted, _SECONDS)
    assert task_id
    return task_id
