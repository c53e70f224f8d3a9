"""A private SeaweedFS for the run: one bucket, and a prefix of its own for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest

from waybill.storage.config import S3Config
from waybill.storage.embedded import EmbeddedS3
from waybill.storage.s3 import S3Store


@pytest.fixture(scope="session")
def s3_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Config]:
    """Where the server is; its bucket exists.

    With TEST_S3_ENDPOINT_URL the same tests run against that server, such as a MinIO: see
    CONTRIBUTING.md. They keep to a bucket of their own, which stays there afterwards.
    """
    if endpoint := os.environ.get("TEST_S3_ENDPOINT_URL"):
        config = S3Config(
            bucket=f"waybill-tests-{uuid4().hex[:12]}",
            endpoint_url=endpoint,
            access_key_id=os.environ["TEST_S3_ACCESS_KEY_ID"],
            secret_access_key=os.environ["TEST_S3_SECRET_ACCESS_KEY"],
        )
        with closing(S3Store(config)) as store:
            store.ensure_bucket()
        yield config
        return
    home = tmp_path_factory.mktemp("s3-home")
    with EmbeddedS3(home, bucket="waybill-tests") as config:
        store = S3Store(config)
        store.ensure_bucket()
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
