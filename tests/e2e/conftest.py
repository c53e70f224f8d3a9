"""One private installation per test: PostgreSQL, SeaweedFS, and Waybill's own processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.processes import environment
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
def installation(postgres_url: str, s3_config: S3Config, tmp_path: Path):
    """PostgreSQL holds tasks and rows, SeaweedFS the files, in a bucket of this test."""
    config = replace(s3_config, bucket=f"e2e-{uuid4().hex[:12]}")
    store = S3Store(config)
    store.ensure_bucket(7)
    yield Installation(
        env=environment(tmp_path / "home", postgres_url, config),
        home=tmp_path / "home",
        log=tmp_path / "waybill.log",
        database=postgres_url,
        store=store,
    )
    store.close()
