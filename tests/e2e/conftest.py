"""Private installations: PostgreSQL, SeaweedFS, and Waybill's own processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.processes import environment
from tests.support.servers.postgres import PostgresServer
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store


@dataclass(frozen=True)
class Installation:
    """Settings, folders and the object store of one test."""

    env: dict[str, str]
    home: Path
    log: Path
    database: str
    store: S3Store


@pytest.fixture
def installation(postgres_url: str, s3_config: S3Config, tmp_path: Path) -> Iterator[Installation]:
    """One for each test."""
    with open_installation(postgres_url, s3_config, tmp_path) as installation:
        yield installation


@pytest.fixture(scope="module")
def shared_installation(
    postgres_server: PostgresServer,
    s3_config: S3Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """One for all tests of a module."""
    with (
        postgres_server.database() as url,
        open_installation(url, s3_config, tmp_path_factory.mktemp("shared")) as installation,
    ):
        yield installation


@contextmanager
def open_installation(
    postgres_url: str, s3_config: S3Config, folder: Path
) -> Iterator[Installation]:
    """PostgreSQL holds tasks and rows, SeaweedFS the files, in a bucket of its own."""
    config = replace(s3_config, bucket=f"e2e-{uuid4().hex[:12]}")
    store = S3Store(config)
    store.ensure_bucket()
    yield Installation(
        env=environment(folder / "home", postgres_url, config),
        home=folder / "home",
        log=folder / "waybill.log",
        database=postgres_url,
        store=store,
    )
    store.close()
