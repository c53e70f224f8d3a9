"""Each example in `docs/examples` runs, and what it submits lives and dies with its transaction."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from sqlalchemy.engine import Engine

from tests.support.servers.postgres import PostgresServer
from tests.support.servers.task_api import SECRET
from tests.support.task_tables import SCHEMA, postgres_tables
from waybill.api.exports import in_transaction
from waybill.api.session.tokens import TokenVerifier
from waybill.exporter.datasets.dataset import DECLARED
from waybill.infra.config.settings import load as load_settings
from waybill.infra.db.engine import create_engine
from waybill.infra.db.schema import TableSchema
from waybill.infra.tasks.outbox import Outbox
from waybill.storage.config import S3Config

Close = Callable[[str], Any]
EXAMPLES = Path(__file__).parents[2] / "docs/examples"


@pytest.fixture
def shop(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """The database of the examples, with the task tables in a schema beside it."""
    with (
        postgres_tables(postgres_server, SCHEMA) as url,
        psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as host,
    ):
        host.execute(
            "CREATE TABLE closings (id serial PRIMARY KEY, tenant text,"
            " month text UNIQUE DEFERRABLE INITIALLY DEFERRED)"
        )
        # Checked by the commit, when the export has been submitted.
        host.execute("INSERT INTO closings (month) VALUES ('1999-12')")
        for name, value in {
            "DATABASE_URL": url,
            "DATABASE_PASSWORD": sa.make_url(url).password,
            "WAYBILL_DATABASE_URL": url,
            "WAYBILL_DATABASE_SCHEMA": SCHEMA,
            "WAYBILL_DATASETS": str(EXAMPLES / "shop_exports.py"),
            "WAYBILL_HOME": str(tmp_path),
            "WAYBILL_S3_ENDPOINT_URL": "http://127.0.0.1:9",
            "WAYBILL_S3_ACCESS_KEY_ID": "x",
            "WAYBILL_S3_SECRET_ACCESS_KEY": "x",
            "WAYBILL_JWT_SECRET": SECRET,
            "WAYBILL_PUBLIC_URL": "https://exports.example",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.syspath_prepend(EXAMPLES)
        engine = create_engine(url, schema=TableSchema(SCHEMA))
        declared = dict(DECLARED._datasets)
        with in_transaction.services_of_this_process():
            yield engine
        DECLARED._datasets = declared
        sys.modules.pop("waybill_datasets_shop_exports", None)
        engine.dispose()


def load(name: str) -> ModuleType:
    """An example, imported as if for the first time."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Where Django looks for the routes, and FastAPI for the names in annotations.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _logs_in(link: str) -> str:
    """Whom a login link logs in."""
    page, _, ticket = link.partition("#ticket=")
    assert page == "https://exports.example/session"
    return TokenVerifier(load_settings()).verify_ticket(ticket).principal.user


@contextmanager
def script() -> Iterator[Close]:
    yield load("script").close_month


@contextmanager
def fastapi() -> Iterator[Close]:
    with TestClient(load("fastapi_app").app) as client:
        yield lambda month: client.post(f"/closings/{month}")


@contextmanager
def flask() -> Iterator[Close]:
    example = load("flask_app")
    example.app.testing = True
    client = example.app.test_client()
    assert _logs_in(client.get("/exports").headers["Location"]) == "ann"
    yield lambda month: client.post(f"/closings/{month}")
    example.engine.dispose()


@contextmanager
def django() -> Iterator[Close]:
    load("django_app")
    from django.db import connections
    from django.test import Client

    assert _logs_in(Client().get("/exports")["Location"]) == "ann"
    yield lambda month: Client().post(f"/closings/{month}")
    connections.close_all()


@pytest.mark.parametrize("host", [script, fastapi, flask, django], ids=lambda host: host.__name__)
def test_an_example_submits_in_its_transaction(
    shop: Engine, host: Callable[[], AbstractContextManager[Close]]
) -> None:
    with host() as close_month:
        with pytest.raises(Exception, match="closings_month_key"):
            close_month("1999-12")
        assert Outbox(shop).take() == []
        close_month("2026-11")
    [wake_up] = Outbox(shop).take()
    assert wake_up.queue == "shop"


def test_the_mounted_example_is_the_form_of_who_is_logged_in(
    shop: Engine, s3_config: S3Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYBILL_S3_ENDPOINT_URL", s3_config.endpoint_url or "")
    monkeypatch.setenv("WAYBILL_S3_ACCESS_KEY_ID", s3_config.access_key_id or "")
    monkeypatch.setenv("WAYBILL_S3_SECRET_ACCESS_KEY", s3_config.secret_access_key or "")
    with TestClient(load("mounted_app").app) as client:
        assert client.get("/exports/api/datasets").status_code == 401
        client.cookies.set("user", "ann")
        [dataset] = client.get("/exports/api/datasets").json()["items"]
        assert dataset["name"] == "closing"
