"""A private SeaweedFS for the run: one bucket, and a prefix of its own for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from uuid import uuid4

import pytest

from storage import EmbeddedS3, S3Config, S3Store

#: The other S3 server of the tests, for what a real one does not do on request.
pytest_plugins = ["tests.servers.s3_stub"]


@pytest.fixture(scope="session")
def s3_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Config]:
    """Where the server is; its bucket exists."""
    home = tmp_path_factory.mktemp("s3-home")
    with EmbeddedS3(home, bucket="waybill-tests") as config:
        store = S3Store(config)
        store.ensure_bucket(retention_days=7)
        store.close()
        yield config
    shutil.rmtree(home)


@pytest.fixture
def s3_store(s3_config: S3Config) -> Iterator[S3Store]:
    """An object store on that bucket."""
    store = S3Store(s3_config)
    yield store
    store.close()


@pytest.fixture
def key_prefix() -> str:
    """A part of the bucket that no other test looks at."""
    return f"{uuid4().hex}/"
