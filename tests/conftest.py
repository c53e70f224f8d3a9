"""Lanes, and the fixtures of real servers: each is private to the run, and ended after it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow at times, and no fault of the example that meets it.
settings.register_profile("waybill", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", settings.get_profile("waybill"), max_examples=10)
settings.load_profile("waybill")

# Helpers assert as well; a failure of theirs should show its values.
pytest.register_assert_rewrite("tests.support")

pytest_plugins = [
    "tests.support.servers.built_wheel",
    "tests.support.servers.host_app",
    "tests.support.servers.identity_provider",
    "tests.support.servers.juicefs",
    "tests.support.servers.mariadb",
    "tests.support.servers.moto",
    "tests.support.servers.pgbouncer",
    "tests.support.servers.postgres",
    "tests.support.servers.postgres_pair",
    "tests.support.servers.rabbitmq_broker",
    "tests.support.servers.rabbitmq_cluster",
    "tests.support.servers.s3_gate",
    "tests.support.servers.s3_stub",
    "tests.support.servers.seaweedfs",
    "tests.support.servers.task_api",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make test-host` runs the suite of the page in the host application."""
    parser.addoption("--host-app", action="store_true", help="run tests/browser in tests/host_app")


#: The fixtures that start a server process, or listen on a socket.
_SERVERS = {
    "juicefs_config",
    "mariadb_server",
    "pgbouncer_url",
    "postgres_pair",
    "postgres_server",
    "provider",
    "rabbitmq_cluster",
    "rabbitmq_server",
    "s3_config",
    "shared_api",
    "stub",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server. A fixture's parameter that needs one marks itself."""
    for item in items:
        if isinstance(item, pytest.Function) and not _SERVERS.isdisjoint(item.fixturenames):
            item.add_marker(pytest.mark.server)
