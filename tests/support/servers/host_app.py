"""The host application of `tests/host_app`, with our wheel, behind nginx with TLS and a path."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy.engine import make_url
from starlette.types import ASGIApp

from tests.support.eventually import wait_for
from tests.support.servers.certificates import Certificate, self_signed
from tests.support.servers.nginx import nginx
from tests.support.servers.ports import free_ports
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.task_api import SECRET, TaskApi, serve
from tests.support.task_store import Worker
from waybill.api.events import stream as events_stream
from waybill.api.session.cookie import SESSION_COOKIE, UNDER_A_PATH
from waybill.exporter.datasets.dataset import Registry
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.services import Services
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

HOST = Path(__file__).parents[2] / "host_app"
_HOST_SECRET = "the secret of the host's own cookies"
#: What nginx strips, and what the host mounts Waybill under.
_STRIPPED, _MOUNT = "/shop", "/exports"
#: A request by a proxy reads figures with it only.
_METRICS_TOKEN = "a token of the tests"


@dataclass
class HostedApi(TaskApi):
    """Waybill in the host application."""

    certificate: Certificate = field(kw_only=True)
    #: Where the host itself listens.
    port: int = field(kw_only=True)
    #: Whether people log in to Waybill, and not to the host.
    own_login: bool = field(kw_only=True)

    def cookie(self, token: str) -> dict[str, Any]:
        """The session cookie over TLS and under a path."""
        url = httpx2.URL(self.url)
        name = UNDER_A_PATH + SESSION_COOKIE
        place = {"domain": url.host, "path": url.path, "secure": True}
        return {"name": name, "value": token, **place}

    def login(self, tenant: str, user: str, roles: tuple[str, ...]) -> dict[str, Any]:
        """The host's own cookie, if people log in there."""
        if self.own_login:
            return super().login(tenant, user, roles)
        value = URLSafeSerializer(_HOST_SECRET).dumps([user, tenant, list(roles)])
        return {"name": "shop_session", "value": str(value), "url": self.url}

    @property
    def inner_url(self) -> str:
        """Where nginx passes requests on to."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def found_by_browsers(self, address: str, folder: Path) -> Iterator[str]:
        """What listens at `address`, behind one more nginx."""
        port = httpx2.URL(address).port or 0
        with nginx(folder, self.certificate, port, _STRIPPED) as outer:
            yield outer + _MOUNT

    @contextmanager
    def elsewhere(self, app: ASGIApp, folder: Path) -> Iterator[str]:
        """`app` at the other origin that may embed Waybill, over TLS as well."""
        with serve(app) as address:
            port, own = httpx2.URL(address).port or 0, httpx2.URL(self.embed_origin).port or 0
            with nginx(folder, self.certificate, port, "", own) as origin:
                yield origin

    @contextmanager
    def heartbeats_every(self, seconds: float) -> Iterator[None]:
        """Event streams that begin now have a heartbeat as often as that."""
        control = f"{self.inner_url}/suite/heartbeat"
        before = events_stream.HEARTBEAT.total_seconds()
        httpx2.put(control, params={"seconds": seconds}).raise_for_status()
        yield
        httpx2.put(control, params={"seconds": before}).raise_for_status()


#: Starts one with its files in a folder. A registry is for the suite, whose tests are the worker;
#: more settings by their names, and `own_login`, may follow.
Hosted = Callable[..., AbstractContextManager[HostedApi]]


@pytest.fixture(scope="session")
def hosted(python: Path, postgres_server: PostgresServer, s3_config: S3Config) -> Hosted:
    """Starts the host application."""

    @contextmanager
    def start(
        home: Path, registry: Registry | None, *, own_login: bool = False, **more: Any
    ) -> Iterator[HostedApi]:
        port, elsewhere = free_ports(2)
        certificate = self_signed(home, "127.0.0.1")
        with (
            _host_database(postgres_server) as database,
            nginx(home, certificate, port, _STRIPPED) as address,
        ):
            config = replace(s3_config, bucket=f"host-{uuid4().hex[:12]}")
            settings = _settings(home, database, config, address + _MOUNT)
            settings |= {"embed_origins": f"https://127.0.0.1:{elsewhere}", **more}
            env = _environment(settings, database, registry is not None)
            if own_login:
                env["HOST_WITHOUT_LOGIN"] = "1"
            with (
                _running(python, env, home, port, certificate, address),
                _other_side(settings, config, registry) as (stack, services),
            ):
                url, engine = address + _MOUNT, stack.engine
                api = HostedApi(
                    url,
                    engine,
                    services,
                    Worker(engine),
                    [],
                    certificate.client(),
                    embed_origin=settings["embed_origins"],
                    metrics_token=_METRICS_TOKEN,
                    certificate=certificate,
                    port=port,
                    own_login=own_login,
                )
                yield api
                api.close()

    return start


def _settings(home: Path, database: str, s3: S3Config, public_url: str) -> dict[str, Any]:
    return {
        "home": home,
        "database_url": database,
        "datasets": "api.exports",
        "jwt_secret": SECRET,
        "metrics_token": _METRICS_TOKEN,
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
        with httpx2.Client(verify=certificate.client(), timeout=60) as client:

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
    settings: dict[str, Any], s3: S3Config, registry: Registry | None
) -> Iterator[tuple[Stack, Services]]:
    """The database and the store of the host, as the tests reach them."""
    store = S3Store(s3)
    loaded = load(**{name: value for name, value in settings.items() if name != "datasets"})
    with Stack(loaded, registry=registry, store=store) as stack:
        yield stack, stack.services(lambda: None, checks={})
    store.close()
