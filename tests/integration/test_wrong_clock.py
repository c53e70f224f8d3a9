"""F93: a process whose own clock is wrong by ten minutes, and a store and a database in time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from waybill.infra.db.engine import create_engine
from waybill.infra.db.migrate import upgrade
from waybill.storage.config import S3Config

TEN_MINUTES = timedelta(minutes=10)

#: Signs a link as a worker does after an upload, and asks what `/readyz` asks.
PROCESS = """
import json, sys
from datetime import timedelta
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load

with Stack(load()) as stack:
    with stack.store.open_upload(sys.argv[1], content_type="text/csv") as upload:
        upload.write(b"id")
    link = stack.store.presign(
        sys.argv[1], filename="a.csv", content_type="text/csv", ttl=timedelta(minutes=15)
    )
    failures = {}
    for name, check in stack.services().checks.items():
        try:
            check()
        except Exception as error:
            failures[name] = str(error)
    print(json.dumps([link.url, link.expires_at.isoformat(), failures]))
"""


@pytest.mark.parametrize("offset", [-TEN_MINUTES, timedelta(0), TEN_MINUTES], ids=str)
def test_f93_links_live_as_long_as_said_and_readiness_names_the_wrong_clock(
    offset: timedelta, s3_config: S3Config, postgres_url: str, key_prefix: str, tmp_path: Path
) -> None:
    engine = create_engine(postgres_url)
    upgrade(engine)
    engine.dispose()
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    env = {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{offset.total_seconds():+.0f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "WAYBILL_HOME": str(tmp_path),
        "WAYBILL_DATABASE_URL": postgres_url,
        "WAYBILL_S3_ENDPOINT_URL": str(s3_config.endpoint_url),
        "WAYBILL_S3_BUCKET": s3_config.bucket,
        "WAYBILL_S3_ACCESS_KEY_ID": str(s3_config.access_key_id),
        "WAYBILL_S3_SECRET_ACCESS_KEY": str(s3_config.secret_access_key),
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROCESS, f"{key_prefix}a.csv"],
        env=os.environ | env,
        capture_output=True,
        check=True,
    )
    now = datetime.now(UTC)
    url, expires_at, failures = json.loads(ended.stdout)

    left = datetime.fromisoformat(expires_at) - now
    assert timedelta(minutes=14) < left < timedelta(minutes=15, seconds=2)
    signed_at = datetime.strptime(httpx2.URL(url).params["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    assert signed_at + timedelta(seconds=int(httpx2.URL(url).params["X-Amz-Expires"])) == (
        datetime.fromisoformat(expires_at)
    )
    assert httpx2.get(url).content == b"id"
    if not offset:
        assert failures == {}
        return
    way = "ahead of" if offset > timedelta(0) else "behind"
    assert set(failures) == {"database", "storage"}
    assert all(f" s {way} that of the " in reason for reason in failures.values())
