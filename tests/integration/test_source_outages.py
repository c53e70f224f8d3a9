"""F130: source databases of every kind that refuse, or accept a connection and say nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from tests.support.servers.clickhouse import clickhouse_server
from tests.support.servers.flight_sql import flight_sql_server
from tests.support.servers.tcp_proxy import TcpProxy
from waybill.faults import Fault
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceAway
from waybill.infra.sources.operator_queries import text_query
from waybill.infra.worker.failures import classify_error
from waybill.infra.worker.probes import probe_source

pytestmark = pytest.mark.server

#: gRPC gives a connection 20 s, and no setting changes that.
_MOST_SECONDS = 40
KINDS = ("postgresql", "mariadb", "clickhouse", "flightsql")


@dataclass(frozen=True)
class Away:
    """A server behind a proxy, and the URL that leads through that."""

    proxy: TcpProxy
    url: str

    def read(self, sql: str = "SELECT 1 AS x") -> int:
        """How many rows a query has."""
        with open_source(self.url).open(text_query(sql, self.url), count=False) as stream:
            return sum(batch.num_rows for batch in stream)


@contextmanager
def server_of(
    kind: str, request: pytest.FixtureRequest, folder: Path
) -> Iterator[tuple[int, Callable[[int], str]]]:
    """The port of a server, and the URL of a database there by another port."""
    if kind in ("postgresql", "mariadb"):
        url = sa.make_url(
            request.getfixturevalue({"postgresql": "postgres_url", "mariadb": "mariadb_url"}[kind])
        ).update_query_dict({"connect_timeout": "2"})
        assert url.port
        yield url.port, lambda port: url.set(port=port).render_as_string(hide_password=False)
    elif kind == "clickhouse":
        with clickhouse_server(folder) as clickhouse:
            options = "tls=off&connect_timeout=2"
            yield clickhouse.port, lambda port: f"clickhouse://127.0.0.1:{port}?{options}"
    else:
        # Without a user the driver would connect with its first query.
        with duckdb.connect() as database, flight_sql_server(database) as flight:
            yield flight.port, lambda port: f"flightsql://127.0.0.1:{port}?tls=off"


@pytest.fixture
def away(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Away]:
    with ExitStack() as stack:
        port, url_at = stack.enter_context(server_of(kind, request, tmp_path))
        proxy = stack.enter_context(TcpProxy(port))
        # The server in ClickHouse's place starts its engine with the first query.
        Away(proxy, url_at(port).replace("timeout=2", "timeout=60")).read()
        yield Away(proxy, url_at(proxy.port))


@pytest.mark.parametrize("fault", [TcpProxy.refuse, TcpProxy.blackhole], ids=["gone", "frozen"])
@pytest.mark.parametrize("kind", KINDS)
def test_f130_a_source_of_any_kind_that_does_not_answer_is_away_and_costs_no_attempt(
    away: Away, fault: Callable[[TcpProxy], None]
) -> None:
    assert away.read() == 1
    # Entered first: what hangs goes on when the proxy is healed or closed.
    with ThreadPoolExecutor() as threads, ExitStack() as last:
        last.callback(away.proxy.heal)
        fault(away.proxy)
        read = threads.submit(away.read)
        probe = threads.submit(lambda: probe_source(open_source(away.url)))
        for tried in (read, probe):
            error = tried.exception(_MOST_SECONDS)
            assert isinstance(error, SourceAway)
            assert classify_error(error).fault is Fault.SOURCE
    assert away.read() == 1


@pytest.mark.parametrize(
    ("kind", "sql"), [("mariadb", "SELECT sleep(3) AS x"), ("clickhouse", "SELECT sleep(3) AS x")]
)
def test_f130_a_query_may_take_longer_than_a_connection(away: Away, sql: str) -> None:
    assert away.read(sql) == 1


@pytest.mark.parametrize("kind", ["mariadb"])
def test_f130_a_server_that_vanishes_is_noticed_within_a_minute(away: Away) -> None:
    with open_source(away.url).open(text_query("SELECT 1 AS x"), count=False):
        timers = [keepalive for port, keepalive in keepalives() if port == away.proxy.port]
    assert timers
    assert all(0 < seconds <= 30 for seconds in timers)


def keepalives() -> Iterator[tuple[int, float]]:
    """Each connection's remote port, and the seconds until the kernel asks whether it lives."""
    ticks = os.sysconf("SC_CLK_TCK")
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, _, timer, *_ = line.split()
        kind, _, left = timer.partition(":")
        if (state, kind) == ("01", "02"):
            yield int(remote.partition(":")[2], 16), int(left, 16) / ticks
