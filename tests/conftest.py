"""Fixtures of real servers: each is private to the run, on a free port, and ended after it."""

from __future__ import annotations

pytest_plugins = [
    "tests.servers.juicefs",
    "tests.servers.mariadb",
    "tests.servers.postgres",
    "tests.servers.rabbitmq",
    "tests.servers.s3_stub",
    "tests.servers.seaweedfs",
    "tests.servers.task_api",
]
