"""Fixtures of real servers: each is private to the run, on a free port, and ended after it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is slow at times, and no fault of the example that meets it.
settings.register_profile("waybill", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("waybill")

pytest_plugins = [
    "tests.support.servers.juicefs",
    "tests.support.servers.mariadb",
    "tests.support.servers.postgres",
    "tests.support.servers.rabbitmq",
    "tests.support.servers.s3_stub",
    "tests.support.servers.seaweedfs",
    "tests.support.servers.task_api",
]
