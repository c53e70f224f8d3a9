"""One bench for each module: its servers run on, its database, vhost and bucket are its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.fault_bench import Bench, open_bench
from tests.support.fault_lab import LEASE_SECONDS, open_lab
from tests.support.keyed_exports import make_keys
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.rabbitmq import RabbitServer
from tests.support.servers.rabbitmq_broker import ClusteredServer
from tests.support.servers.tcp_proxy import TcpProxy
from tests.support.task_tables import postgres_tables, sqlite_tables
from tests.support.wake_ups import RETRY_DELAYS
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.storage.config import S3Config

#: Long enough for an answer from a healthy broker, short enough to wait for several times.
TIMEOUT = timedelta(seconds=1.5)


@pytest.fixture(scope="module")
def bench(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer | ClusteredServer,
    s3_config: S3Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    """An installation without processes."""
    folder = tmp_path_factory.mktemp("bench")
    with (
        postgres_server.database() as database,
        rabbitmq_server.vhost() as vhost,
        open_bench(folder, database, rabbitmq_server.url(vhost), s3_config) as bench,
    ):
        yield bench


@pytest.fixture(scope="module")
def api(bench: Bench) -> Iterator[Bench]:
    """The bench with `waybill serve` running."""
    with bench.api():
        yield bench


@pytest.fixture(scope="module")
def keys(bench: Bench) -> None:
    """The table of the bench's exports in shards."""
    make_keys(bench.engine)


@pytest.fixture
def clean(bench: Bench) -> Bench:
    """The bench, without tasks and files of the test before."""
    bench.clear()
    return bench


@pytest.fixture
def proxy(rabbitmq_server):
    with TcpProxy(rabbitmq_server.port) as proxy:
        yield proxy


@pytest.fixture
async def broker(rabbitmq_server, rabbitmq_vhost, proxy):
    """A broker that is reached through the proxy, connected and with everything declared."""
    url = rabbitmq_server.url(rabbitmq_vhost, port=proxy.port)
    made = RabbitBroker(url, ["orders", "users"], publish_timeout=TIMEOUT, delays=RETRY_DELAYS)
    await made.declare_topology()
    yield made
    await made.close()


@pytest.fixture
def database_proxy(postgres_server):
    with TcpProxy(postgres_server.port) as proxy:
        yield proxy


@pytest.fixture
def tasks_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL database with task tables, dropped after the test."""
    with postgres_tables(postgres_server) as url:
        yield url


@pytest.fixture
def outage_lab(tmp_path, postgres_server, tasks_url, database_proxy):
    """A worker that reaches its database through the proxy."""
    way = tasks_url.replace(f":{postgres_server.port}/", f":{database_proxy.port}/")
    # The worker has to stop by itself before its lease ends: a busy machine is late by seconds.
    with open_lab(tmp_path, tasks_url, workers_way=way, lease=2 * LEASE_SECONDS) as lab:
        yield lab


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    with sqlite_tables(tmp_path) as engine:
        yield engine
