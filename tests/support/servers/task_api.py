"""The API as a real server, once on SQLite and once on PostgreSQL.

Tests share the servers and keep apart by tenant: each gets one of its own.
"""

from __future__ import annotations

import itertools
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from threading import Thread
from typing import Any, Self
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa
from pydantic import BaseModel, Field, model_validator
from sqlalchemy.engine import Engine
from starlette.types import ASGIApp

from tests.support.task_store import Worker
from tests.support.task_tables import migrated_sqlite
from waybill.api.app import create_app
from waybill.api.cli.http_server import Bounds, QuietServer, server_config
from waybill.api.events import stream as events_stream
from waybill.api.session.cookie import SESSION_COOKIE
from waybill.api.session.development_tokens import mint
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.datasets.workbook import made_of
from waybill.exporter.warning_rules import WarningRule
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.db.tables import export_task
from waybill.infra.files.object_keys import object_key
from waybill.infra.notifications.opt_outs import MailOptOuts
from waybill.infra.notifications.rules import NotificationRules
from waybill.infra.services import Services
from waybill.infra.tasks.model import Finished, TaskProgress
from waybill.storage.memory import MemoryStore
from waybill.storage.store import ObjectStore

SECRET = "a secret of the tests, long enough for HS256"
TASKS = "/api/export-tasks"
#: The role that sees all tenants, by its default name.
OPERATOR = "waybill-operator"
#: Never used over plain HTTP, but every client would load the system's certificates anew.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Status(StrEnum):
    NEW = "new"
    PAID = "paid"


class OrderParams(BaseModel):
    """Which orders."""

    city: str | None = Field(None, title="City", max_length=80, description="All when empty.")
    status: Status | None = Field(None, title="Status")
    at_least: int = Field(0, title="At least", ge=0, le=1000)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.city == "Oslo" and self.status == Status.NEW:
            raise ValueError("Oslo has no new orders")
        return self


class LedgerParams(BaseModel):
    year: int = Field(title="Year", ge=2000, le=2100)


def sample_registry() -> Registry:
    """Two datasets, one for the role `sales`, one for `finance`, and a workbook of both."""

    def build(params: BaseModel, user: object) -> sa.Select[Any]:
        return sa.select(sa.literal(params.model_dump_json()).label("doc"))

    registry = Registry()
    registry.add(
        Dataset(
            "orders",
            build,
            params=OrderParams,
            queue="orders",
            roles={"sales"},
            title="Orders",
            filename="orders-{today}",
        )
    )
    registry.add(Dataset("ledger", build, params=LedgerParams, roles={"finance"}, title="Ledger"))
    sheets = [registry["orders"], registry["ledger"]]
    registry.add(made_of(sheets, name="closing", filename="{name}", title="Closing"))
    return registry


@contextmanager
def serve(app: ASGIApp, bounds: Bounds | None = None, port: int = 0) -> Iterator[str]:
    """Run `app` in the product's server; its address. The socket queues requests from the start."""
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    # asyncio sets this on sockets it makes itself only; without it every answer waits 40 ms
    # for an acknowledgement. Accepted connections inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = QuietServer(server_config(app, bounds or Bounds()))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="api")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()


@dataclass
class TaskApi:
    """A running API, and the other side of its database."""

    url: str
    engine: Engine
    services: Services
    runs: Worker
    wake_ups: list[None]
    #: What its clients trust.
    tls: ssl.SSLContext = NO_TLS
    #: Whose pages may start exports, if `WAYBILL_EMBED_ORIGINS` names one.
    embed_origin: str = ""
    #: What `/metrics` asks for.
    metrics_token: str | None = None
    _clients: ExitStack = field(default_factory=ExitStack)
    _names: Iterator[int] = field(default_factory=itertools.count)

    def tenant(self) -> str:
        """The name of a tenant nobody else has."""
        return f"tenant-{next(self._names)}-{secrets.token_hex(3)}"

    def token(
        self,
        tenant: str,
        user: str = "ana",
        roles: tuple[str, ...] = ("sales",),
        email: str | None = None,
    ) -> str:
        ttl = timedelta(minutes=5)
        return mint(self.services.settings, user, tenant, frozenset(roles), ttl, email)

    def client(self, token: str | None = None, **more: Any) -> httpx2.Client:
        """A client with `token`, or one nobody knows."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options = {"base_url": self.url, "headers": headers, "timeout": 30, "verify": self.tls}
        options |= more
        return self._clients.enter_context(httpx2.Client(**options))

    def cookie(self, token: str) -> dict[str, Any]:
        """The session cookie with `token`, for a browser."""
        return {"name": SESSION_COOKIE, "value": token, "url": self.url}

    def login(self, tenant: str, user: str, roles: tuple[str, ...]) -> dict[str, Any]:
        """What a browser has after `user` has logged in."""
        return self.cookie(self.token(tenant, user, roles))

    def page(self, token: str, **headers: str) -> httpx2.Client:
        """A client with the session cookie, whose requests come from our page or as `headers`."""
        url = httpx2.URL(self.url)
        own = {"Origin": f"{url.scheme}://{url.netloc.decode()}"}
        return self.client(cookies={self.cookie(token)["name"]: token}, headers=headers or own)

    def person(
        self, tenant: str | None = None, user: str = "ana", roles: tuple[str, ...] = ("sales",)
    ) -> httpx2.Client:
        """A client of somebody with `roles`, in a tenant of their own unless it is named."""
        return self.client(self.token(tenant or self.tenant(), user, roles))

    def open_streams(self) -> int:
        """The event streams that the server holds open, of all users."""
        text = self.client(self.metrics_token).get("/metrics").text
        [line] = [item for item in text.splitlines() if item.startswith("waybill_event_streams ")]
        return int(float(line.split()[1]))

    @property
    def inner_url(self) -> str:
        """Where a proxy passes requests on to."""
        return self.url

    @contextmanager
    def found_by_browsers(self, address: str, folder: Path) -> Iterator[str]:
        """Where browsers reach what listens at `address`: there. Files may be put in `folder`."""
        yield address

    @contextmanager
    def elsewhere(self, app: ASGIApp, folder: Path) -> Iterator[str]:
        """`app` at the other origin that may embed Waybill. Files may be put in `folder`."""
        with serve(app, port=int(self.embed_origin.rpartition(":")[2])) as origin:
            yield origin

    @contextmanager
    def heartbeats_every(self, seconds: float) -> Iterator[None]:
        """Event streams that begin now have a heartbeat as often as that."""
        before = events_stream.HEARTBEAT
        events_stream.HEARTBEAT = timedelta(seconds=seconds)
        yield
        events_stream.HEARTBEAT = before

    def begin(self, task: dict[str, Any], reading: TaskProgress | None = None) -> Any:
        """What a worker does first."""
        claim = self.runs.claim(UUID(task["id"]), "test-worker")
        assert claim is not None
        if reading:
            self.runs.heartbeat(claim, reading)
        return claim

    def key_of(self, task_id: UUID | str) -> str:
        """A key for the file of a task, as its worker would make it; another one at each call."""
        with self.engine.connect() as connection:
            query = sa.select(export_task.c.tenant_id).where(export_task.c.id == UUID(str(task_id)))
            tenant = connection.execute(query).scalar_one()
        return object_key(self.services.installation, tenant, UUID(str(task_id)), 1, "csv")

    def finish(
        self,
        task: dict[str, Any],
        *,
        key: str | None = None,
        sha256: str = SHA256,
        rows: int = 1200,
        retention: timedelta = timedelta(days=7),
        link_life: timedelta = timedelta(minutes=15),
    ) -> None:
        """What a worker does when all goes well, if the test has not stored a file itself."""
        now, store = datetime.now(UTC), self.services.store
        key = key or self.key_of(task["id"])
        if store.head(key) is None:
            with store.open_upload(key, content_type="text/plain") as upload:
                upload.write(bytes(65_536))
        stored = store.head(key)
        assert stored is not None
        done = Finished(
            object_key=key,
            etag="etag",
            sha256=sha256,
            size_bytes=stored.size_bytes,
            rows_source=rows,
            rows_written=rows,
            snapshot_at=now,
            warnings=[{"column": "order_no", "rule": WarningRule.LONG_NUMBER_AS_TEXT, "count": 3}],
            download_url="memory:///recorded-by-the-worker",
            url_expires_at=now + link_life,
            retention=retention,
        )
        claim = self.begin(task)
        self.runs.reserve_object(claim, key)
        assert self.runs.finish(claim, replace(done, flight_key=claim.task.flight_key))

    def fail(self, task: dict[str, Any], *, retry_in: timedelta | None = None) -> None:
        """What a worker does when it cannot."""
        self.runs.fail(
            self.begin(task),
            code="source_unavailable",
            message="The source database cannot be reached.",
            retry_in=retry_in,
        )

    def close(self) -> None:
        self._clients.close()


def ask(client: httpx2.Client, **changes: Any) -> dict[str, Any]:
    """Submit an export of orders that must be accepted; its task."""
    request = {"type": "orders", "format": "xlsx", "params": {}} | changes
    answer = client.post(TASKS, json=request)
    assert answer.status_code in (200, 202), answer.text
    task: dict[str, Any] = answer.json()
    return task


def resolve(host: str, port: int) -> list[str]:
    """What names mean to the API of the tests: those that begin with `inside` are private."""
    if host.startswith("nowhere"):
        raise OSError
    return ["8.8.8.8", "10.0.0.7"] if host.startswith("inside") else ["8.8.8.8", "2606:4700::1"]


@contextmanager
def running_api(
    database_url: str,
    home: Any,
    *,
    checks: dict[str, Callable[[], None]] | None = None,
    store: ObjectStore | None = None,
    registry: Registry | None = None,
    figures_age: timedelta = timedelta(0),
    patience: timedelta = timedelta(minutes=1),
    port: int = 0,
    **settings: Any,
) -> Iterator[TaskApi]:
    """An API on the task tables of `database_url`, which rows come from, too; at `port` if given.

    `patience` is long, since a machine that runs tests is slow without being overloaded.
    """
    defaults = {
        "public_url": "https://exports.example",
        "smtp_url": "smtp://mail.example",
        "smtp_from": "exports@acme.example",
        "mail_domains": "acme.example",
    }
    loaded = load(
        home=home, jwt_secret=SECRET, database_url=database_url, **{**defaults, **settings}
    )
    with Stack(
        loaded, registry=registry or sample_registry(), store=store or MemoryStore()
    ) as stack:
        _copy_tables(sa.make_url(database_url))
        rules = NotificationRules(loaded, resolve, opt_outs=MailOptOuts(stack.engine))
        stack.notification_rules = rules
        stack.migrate()
        wake_ups: list[None] = []
        services = stack.services(lambda: wake_ups.append(None), checks=checks or {})
        # Figures are counted for each test, instead of being up to ten seconds old.
        app = create_app(services, figures_age=figures_age, patience=patience)
        with serve(app, port=port) as url:
            runs = Worker(stack.engine)
            api = TaskApi(url, stack.engine, services, runs, wake_ups)
            api.embed_origin = settings.get("embed_origins", "")
            yield api
            api.close()


def _copy_tables(url: sa.URL) -> None:
    """Leave nothing to migrate in an SQLite file that is not there yet, for speed."""
    path = Path(url.database or "")
    if url.get_backend_name() == "sqlite" and not path.exists():
        path.write_bytes(migrated_sqlite())


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_api(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("api")
    if request.param == "sqlite":
        with running_api(f"sqlite:///{home}/tasks.db", home) as api:
            yield api
        return
    server = request.getfixturevalue("postgres_server")
    with server.database() as url, running_api(url, home) as api:
        yield api


@pytest.fixture
def api(shared_api: TaskApi) -> Iterator[TaskApi]:
    """A running API; its clients are closed after the test."""
    yield shared_api
    shared_api.close()
