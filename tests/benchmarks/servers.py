"""The private servers of a run, in folders of their own, gone with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers.mariadb import MariadbServer
from tests.support.servers.postgres import PostgresServer
from waybill.storage.embedded import EmbeddedS3
from waybill.storage.s3 import S3Store

_BUCKET = "waybill-bench"
#: What a client needs to know of an `S3Config`.
_SENT = ("bucket", "endpoint_url", "region", "access_key_id", "secret_access_key")


@dataclass(frozen=True)
class Servers:
    """Where they are, in terms that can be sent to another process."""

    postgres: PostgresServer
    #: For files.
    folder: Path
    #: Arguments of `S3Config`.
    s3: dict[str, Any]


@contextmanager
def private_servers(**config: str) -> Iterator[Servers]:
    """PostgreSQL, with these settings, and SeaweedFS, running."""
    with (
        _postgres(config) as postgres,
        tempfile.TemporaryDirectory() as home,
        EmbeddedS3(Path(home), bucket=_BUCKET) as config,
    ):
        with closing(S3Store(config)) as store:
            store.ensure_bucket()
        sent = {name: getattr(config, name) for name in _SENT}
        yield Servers(postgres, Path(home), sent)


@contextmanager
def _postgres(config: Mapping[str, str]) -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="waybill-bench-"))
    server: PostgresServer | None = None
    try:
        server = PostgresServer(folder, **config)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder)


@contextmanager
def private_mariadb() -> Iterator[MariadbServer]:
    """MariaDB, running."""
    folder = Path(tempfile.mkdtemp(prefix="waybill-bench-"))
    server: MariadbServer | None = None
    try:
        server = MariadbServer(folder)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder)
