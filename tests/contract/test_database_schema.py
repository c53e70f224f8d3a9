"""The task tables beside those of a host application: in a schema of their own, or in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.bootstrap import Stack
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load
from waybill.infra.db.engine import create_engine, write_transaction
from waybill.infra.db.migrate import schema_state, upgrade
from waybill.infra.db.schema import TableSchema
from waybill.infra.sources import open_source
from waybill.infra.tasks.audit_chain import AuditChain
from waybill.infra.tasks.audit_dataset import AUDIT, AuditParams
from waybill.infra.tasks.lifecycle.requests import TaskRequests

HOST = """
    CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('a1b2c3d4e5f6');
    CREATE TABLE notification (id serial PRIMARY KEY, words text);
    CREATE TABLE outbox (id serial PRIMARY KEY);
    INSERT INTO notification (words) VALUES ('ours');
"""
#: The version table as it was up to 0.1.
BEFORE = """
    ALTER TABLE waybill_version RENAME TO alembic_version;
    ALTER TABLE alembic_version RENAME CONSTRAINT waybill_version_pkc TO alembic_version_pkc;
"""


@pytest.fixture
def host(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A database of another program, as one of its accounts sees it."""
    url = sa.make_url(postgres_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


@pytest.fixture
def account(host: psycopg.Connection, postgres_url: str) -> Iterator[Callable[..., Engine]]:
    """Engines of an account whose name is not that of the default schema."""
    name = f"host_{uuid4().hex[:12]}"
    host.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x' IN ROLE {host.info.user}")
    host.execute(f"GRANT ALL ON SCHEMA public TO {name}")
    host.execute(f"GRANT CREATE ON DATABASE {host.info.dbname} TO {name}")
    url = sa.make_url(postgres_url).set(username=name, password="x")
    text, engines = url.render_as_string(hide_password=False), []

    def engine(schema: str | None = None) -> Engine:
        engines.append(create_engine(text, schema=TableSchema(schema)))
        return engines[-1]

    yield engine
    for one in engines:
        one.dispose()


def _schemas(host: psycopg.Connection, table: str) -> list[str]:
    query = "SELECT schemaname FROM pg_tables WHERE tablename = %s ORDER BY 1"
    return [row[0] for row in host.execute(query, [table])]


def test_beside_a_host_with_the_same_names_the_tables_get_a_schema_of_their_own(host, account):
    host.execute(HOST)
    engine = account()
    assert "not made yet" in schema_state(engine)
    upgrade(engine)
    task = TaskRequests(engine).submit(ANN, new_task()).task
    assert upgrade(engine) is None
    assert TaskRequests(account()).get(ANN, task.id) == task
    assert _schemas(host, "export_task") == _schemas(host, "waybill_version") == ["waybill"]
    assert host.execute("SELECT words FROM public.notification").fetchall() == [("ours",)]
    assert host.execute("SELECT * FROM public.alembic_version").fetchall() == [("a1b2c3d4e5f6",)]


def test_tables_of_an_earlier_version_stay_in_public_and_keep_what_they_hold(host, account):
    old = account("public")
    upgrade(old)
    task = TaskRequests(old).submit(ANN, new_task()).task
    host.execute(BEFORE)

    engine = account()
    upgrade(engine)
    assert TaskRequests(engine).get(ANN, task.id) == task
    assert schema_state(engine) == "tables up to date"
    assert _schemas(host, "export_task") == _schemas(host, "waybill_version") == ["public"]
    # For processes of that version. Nothing of ours needs it any more.
    host.execute("DROP TABLE alembic_version")
    assert schema_state(account()) == "tables up to date"


def test_an_account_that_may_only_write_rows_finds_what_an_earlier_version_made(host, account):
    upgrade(account("public"))
    host.execute(BEFORE)
    name = f"rows_{uuid4().hex[:12]}"
    host.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    host.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    url = account().url.set(username=name).render_as_string(hide_password=False)
    engine = create_engine(url, schema=TableSchema(None))
    assert upgrade(engine) is None
    engine.dispose()


@pytest.mark.parametrize("state", [upgrade, schema_state])
def test_what_is_in_the_way_is_one_line(host, account, state):
    host.execute(HOST)
    line = r"tables of these names in the schema public: notification, outbox\. Name a schema"
    with pytest.raises(BadSettings, match=line):
        state(account("public"))


def test_what_is_in_the_way_in_a_file_is_one_line(tmp_path: Path):
    engine = create_engine(f"sqlite:///{tmp_path}/host.db")
    with write_transaction(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE notification (id INTEGER)")
    with pytest.raises(
        BadSettings, match=r"these names in the file: notification\. Name another prefix"
    ):
        upgrade(engine)
    engine.dispose()


def test_in_a_schema_the_audit_log_is_protected_and_exported(host, account, tmp_path):
    engine = account("exports")
    upgrade(engine)
    TaskRequests(engine).submit(ANN, new_task())
    assert AuditChain(engine).protection().missing == []
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        host.execute("DELETE FROM exports.audit_log")

    operator = Principal("olga", "acme", frozenset({"waybill-operator"}))
    url = engine.url.render_as_string(hide_password=False)
    settings = load(home=tmp_path, database_url=url, database_schema="exports")
    with (
        Stack(settings) as stack,
        open_source(url).open(stack.registry[AUDIT].query(AuditParams(), operator)) as stream,
    ):
        assert sum(batch.num_rows for batch in stream) == 1
