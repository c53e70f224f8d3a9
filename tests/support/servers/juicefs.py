"""A private JuiceFS gateway: MinIO's own server code judges what is sent to it.

It keeps no lifecycle rules, no CORS rules and no checksums, so it also stands for the
stores that do less than SeaweedFS. A fork of 2021: see docs/limitations.md.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.eventually import wait_for
from tests.support.servers.ports import free_ports
from waybill.storage.config import S3Config
from waybill.storage.errors import StorageUnavailable
from waybill.storage.s3 import S3Store

_PROGRAM = Path(sysconfig.get_path("scripts")) / "juicefs"
_STOP_SECONDS = 10.0
#: A host name of its own, which nothing resolves.
DOMAIN = "s3.test"


@pytest.fixture(scope="session")
def juicefs_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Config]:
    """Where the gateway is; its bucket exists."""
    folder = tmp_path_factory.mktemp("juicefs")
    database = f"sqlite3://{folder}/meta.db"
    port, metrics = free_ports(2)
    config = S3Config(
        bucket="waybill-tests",
        endpoint_url=f"http://127.0.0.1:{port}",
        region="us-east-1",
        access_key_id="exportsdev",
        secret_access_key=secrets.token_hex(16),
    )
    subprocess.run(
        [
            *(_PROGRAM, "format", database, "dev", "--storage", "file"),
            *("--bucket", f"{folder}/blocks/", "--trash-days", "0"),
        ],
        check=True,
        capture_output=True,
    )
    with (folder / "output").open("wb") as output:
        gateway = subprocess.Popen(
            [
                *(_PROGRAM, "gateway", database, f"127.0.0.1:{port}", "--multi-buckets"),
                *("--keep-etag", "--object-tag", "--object-meta", "--no-banner"),
                # Without it, the gateway looks for a host outside.
                "--no-usage-report",
                *("--cache-dir", f"{folder}/cache", "--cache-size", "0", "--buffer-size", "64M"),
                *("--log", f"{folder}/log", "--metrics", f"127.0.0.1:{metrics}"),
                *("--backup-meta", "0"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "MINIO_ROOT_USER": str(config.access_key_id),
                "MINIO_ROOT_PASSWORD": str(config.secret_access_key),
                # `waybill-tests.s3.test` is the bucket, for a client that uses it as its proxy.
                "MINIO_DOMAIN": DOMAIN,
                # Without a region, it takes links signed for any.
                "MINIO_REGION_NAME": "us-east-1",
                "MINIO_SITE_REGION": "us-east-1",
            },
        )
    try:
        with closing(S3Store(config)) as store:
            wait_for(lambda: _ready(store))
        yield config
    finally:
        gateway.terminate()
        gateway.wait(_STOP_SECONDS)


def _ready(store: S3Store) -> bool:
    try:
        store.ensure_bucket()
    except StorageUnavailable:
        return False
    return True
