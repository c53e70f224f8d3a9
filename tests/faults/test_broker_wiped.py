"""The broker's disk is gone with every message on it, and no task is lost (F31, F135)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.fault_bench import open_bench
from tests.support.keyed_exports import SHARDED, judge, make_keys
from tests.support.pauses import Pause
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import outbox


@pytest.fixture
def bench(postgres_url, rabbitmq_server, s3_config, tmp_path):
    """On the default vhost: another one would be wiped with the rest."""
    with open_bench(tmp_path, postgres_url, rabbitmq_server.url(), s3_config) as bench:
        yield bench


def test_f31_after_the_brokers_data_was_wiped_the_sweeper_publishes_again(bench, rabbitmq_server):
    with bench.api():
        tasks = [bench.submit("numbers", tag=str(n)) for n in range(3)]
        wait_for(lambda: published(bench) == len(tasks))
        rabbitmq_server.stop()
        rabbitmq_server.wipe()
        # Accepted all the same: the API needs no broker for that.
        tasks.append(bench.submit("numbers", tag="during"))
        rabbitmq_server.start()
        with bench.worker():
            rows = bench.ended(*tasks)
    assert {(row["status"], row["attempt"]) for row in rows} == {("SUCCESS", 1)}
    bench.audit()


def test_f135_an_export_in_shards_ends_though_the_messages_of_its_shards_are_gone(
    bench, rabbitmq_server
):
    rows, shards = 800_000, SHARDED | {"WAYBILL_SHARD_ROWS": "100000"}
    make_keys(bench.engine)
    pause = Pause(bench.folder)
    with (
        bench.api(),
        bench.worker("--queue", "quick", **shards | pause.at("shard.recorded")),
        pause,
    ):
        task_id = bench.submit("keyed", chosen="csv.gz", rows=rows)
        wait_for(lambda: any(shard["state"] == "DONE" for shard in bench.shards(task_id)))
        rabbitmq_server.stop()
        rabbitmq_server.wipe()
        rabbitmq_server.start()
        pause.end()
        # A worker that comes now finds no message of these shards.
        with bench.worker("--queue", "quick", **shards):
            (row,) = bench.ended(task_id)
    assert (row["status"], row["attempt"], row["rows_written"]) == ("SUCCESS", 1, rows)
    bench.audit(judge)


def published(bench) -> int:
    with read_transaction(bench.engine) as connection:
        marked = sa.select(sa.func.count()).where(outbox.c.published_at.is_not(None))
        return connection.execute(marked.select_from(outbox)).scalar_one()
