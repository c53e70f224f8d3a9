"""An installation of the test's own settings, whose store is reached through an `S3Gate`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.servers.s3_gate import S3Gate
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.storage.s3 import S3Store


@contextmanager
def gated_installation(
    gate: S3Gate, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Stack, S3Store]]:
    """A prepared stack and its store, with a bucket of its own; commands find the same settings."""
    config = gate.config(bucket=f"gated-{uuid4().hex[:12]}")
    for name, value in {
        "HOME": home,
        "S3_ENDPOINT_URL": gate.url,
        "S3_BUCKET": config.bucket,
        "S3_ACCESS_KEY_ID": config.access_key_id,
        "S3_SECRET_ACCESS_KEY": config.secret_access_key,
    }.items():
        monkeypatch.setenv(f"WAYBILL_{name}", str(value))
    with closing(S3Store(config)) as store, Stack(load(), store=store) as stack:
        stack.prepare()
        yield stack, store
