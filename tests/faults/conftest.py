"""One bench for each module: its servers run on, its database, vhost and bucket are its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.support.fault_bench import Bench, open_bench
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.rabbitmq import RabbitServer
from waybill.storage.config import S3Config


@pytest.fixture(scope="module")
def bench(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    s3_config: S3Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    """An installation without processes."""
    vhost = f"faults_{secrets.token_hex(6)}"
    rabbitmq_server.add_vhost(vhost)
    folder = tmp_path_factory.mktemp("bench")
    with (
        postgres_server.database() as database,
        open_bench(folder, database, rabbitmq_server.url(vhost), s3_config) as bench,
    ):
        yield bench
    rabbitmq_server.rabbitmqctl("delete_vhost", vhost)


@pytest.fixture(scope="module")
def api(bench: Bench) -> Iterator[Bench]:
    """The bench with `waybill serve` running."""
    with bench.api():
        yield bench


@pytest.fixture
def clean(bench: Bench) -> Bench:
    """The bench, without tasks and files of the test before."""
    bench.clear()
    return bench
