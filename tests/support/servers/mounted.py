"""Waybill mounted in an application of a test's own, and clients that are logged in there."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

import waybill
from tests.support.servers.task_api import NO_TLS, SECRET, sample_registry
from tests.support.task_tables import migrated_sqlite
from waybill.api.embedding import MountedWaybill
from waybill.storage.config import S3Config


def mounted_waybill(home: Path, s3: S3Config, get_principal: Any) -> MountedWaybill:
    """The sample shop over a real store, with tasks and worker of its own."""
    (home / "tasks.db").write_bytes(migrated_sqlite())
    return waybill.create_app(
        get_principal=get_principal,
        registry=sample_registry(),
        home=home,
        jwt_secret=SECRET,
        database_url=f"sqlite:///{home}/tasks.db",
        s3_endpoint_url=s3.endpoint_url,
        s3_access_key_id=s3.access_key_id,
        s3_secret_access_key=s3.secret_access_key,
        s3_region=s3.region,
        s3_bucket=f"mounted-{home.name.rstrip('0123456789')}",
    )


@dataclass
class Host:
    """A host that is served."""

    url: str
    clients: ExitStack

    def client(self, user: str | None = None, **more: str) -> httpx2.Client:
        """A client with the session of `user`, and with more headers."""
        cookies = {"host_session": user} if user else {}
        client = httpx2.Client(
            base_url=self.url, cookies=cookies, headers=more, verify=NO_TLS, timeout=60
        )
        return self.clients.enter_context(client)
