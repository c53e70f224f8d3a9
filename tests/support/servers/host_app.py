"""The host application of `tests/host_app`, with our wheel, behind nginx with TLS and a path."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy.engine import make_url

from tests.support.eventually import wait_for
from tests.support.servers.certificates import Certificate, self_signed
from tests.support.servers.nginx import nginx
from tests.support.servers.ports import free_ports
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.task_api import SECRET, TaskApi
from tests.support.task_store import Worker
from waybill.api.session.cookie import SESSION_COOKIE, UNDER_A_PATH
from waybill.exporter.datasets.dataset import Registry
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

HOST = Path(__file__).parents[2] / "host_app"
_HOST_SECRET = "the secret of the host's own cookies"
#: What nginx strips, and what the host mounts Waybill under.
_STRIPPED, _MOUNT = "/shop", "/exports"


@dataclass
class HostedApi(TaskApi):
    """Waybill in the host application."""

    def cookie(self, token: str) -> dict[str, Any]:
        """The session cookie over TLS and under a path."""
        url = httpx2.URL(self.url)
        name = UNDER_A_PATH + SESSION_COOKIE
        place = {"domain": url.host, "path": url.path, "secure": True}
        return {"name": name, "value": token, **place}

    def login(self, tenant: str, user: str, roles: tuple[str, ...]) -> dict[str, Any]:
        """The host's own cookie."""
        value = URLSafeSerializer(_HOST_SECRET).dumps([user, tenant, list(roles)])
        return {"name": "shop_session", "value": str(value), "url": self.url}


#: Starts one with its files in a folder. A registry is for the suite, whose tests are the worker.
Hosted = Callable[[Path, Registry | None], AbstractContextManager[HostedApi]]


@pytest.fixture(scope="session")
def hosted(python: Path, postgres_server: PostgresServer, s3_config: S3Config) -> Hosted:
    """Starts the host application."""

    @contextmanager
    def start(home: Path, registry: Registry | None) -> Iterator[HostedApi]:
        (port,) = free_ports(1)
        certificate = self_signed(home, "127.0.0.1")
        with (
            _host_database(postgres_server) as database,
            nginx(home, certificate, port, _STRIPPED) as address,
        ):
            config = replace(s3_config, bucket=f"host-{uuid4().hex[:12]}")
            settings = _settings(home, database, config, address + _MOUNT)
            env = _environment(settings, database, registry is not None)
            with (
                _running(python, env, home, port, certificate, address),
                _other_side(settings, config, registry, certificate, address) as api,
            ):
                yield api

    return start


def _settings(home: Path, database: str, s3: S3Config, public_url: str) -> dict[str, Any]:
    return {
        "home": home,
        "database_url": database,
        "datasets": "api.exports",
        "jwt_secret": SECRET,
        "public_url": public_url,
        "s3_endpoint_url": s3.endpoint_url,
        "s3_access_key_id": s3.access_key_id,
        "s3_secret_access_key": s3.secret_access_key,
        "s3_bucket": s3.bucket,
        "smtp_url": "smtp://mail.example",
        "smtp_from": "exports@acme.example",
        "mail_domains": "acme.example",
    }


def _environment(settings: dict[str, Any], database: str, for_the_suite: bool) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("WAYBILL_")}
    env |= {f"WAYBILL_{key.upper()}": str(value) for key, value in settings.items()}
    env |= {"DATABASE_URL": database, "HOST_SECRET": _HOST_SECRET, "PYTHONDONTWRITEBYTECODE": "1"}
    if for_the_suite:
        # Its datasets; the host's own packages come first.
        env |= {"HOST_FOR_THE_SUITE": "1", "PYTHONPATH": f"{HOST}:{HOST.parents[1]}"}
    return env


@contextmanager
def _host_database(server: PostgresServer) -> Iterator[str]:
    with server.database() as url:
        plain = make_url(url).set(drivername="postgresql")
        with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as one:
            # Not as the account called `waybill`, in whose search path our schema would be.
            one.execute(f"ALTER DATABASE {plain.database} SET search_path = public")
        yield url


@contextmanager
def _running(
    python: Path, env: dict[str, str], home: Path, port: int, certificate: Certificate, url: str
) -> Iterator[None]:
    """The host's migrations and invoices, and then its server."""
    log = home / "host.log"
    with log.open("wb") as output:
        subprocess.run(
            [python, "main.py"], cwd=HOST, env=env, stdout=output, stderr=output, check=True
        )
        serve = ["-m", "uvicorn", "web:app", "--port", str(port), "--root-path", _STRIPPED]
        process = subprocess.Popen(
            [python, *serve], cwd=HOST, env=env, stdout=output, stderr=output
        )
    try:
        with httpx2.Client(verify=certificate.client()) as client:

            def answers() -> bool:
                assert process.poll() is None, log.read_text()
                return client.get(f"{url}{_MOUNT}/healthz").status_code == 200

            wait_for(answers)
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _other_side(
    settings: dict[str, Any],
    s3: S3Config,
    registry: Registry | None,
    certificate: Certificate,
    address: str,
) -> Iterator[HostedApi]:
    """The database and the store of the host, as the tests reach them."""
    store = S3Store(s3)
    loaded = load(**{name: value for name, value in settings.items() if name != "datasets"})
    with Stack(loaded, registry=registry, store=store) as stack:
        services = stack.services(lambda: None, checks={})
        engine = stack.engine
        api = HostedApi(
            address + _MOUNT, engine, services, Worker(engine), [], certificate.client()
        )
        yield api
        api.close()
    store.close()
