"""The task tables in an SQLite file of a host application, under a prefix."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, new_task
from tests.support.task_tables import HOST_TABLES, SCHEMA, sqlite_tables
from waybill.exporter.datasets.principal import Principal
from waybill.infra.bootstrap import Stack
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load
from waybill.infra.db.engine import create_engine
from waybill.infra.db.migrate import schema_state, upgrade
from waybill.infra.db.schema import TableSchema
from waybill.infra.db.tables import metadata
from waybill.infra.sources import open_source
from waybill.infra.tasks.audit_chain import AuditChain
from waybill.infra.tasks.audit_dataset import AUDIT, AuditParams
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import TaskNotFound


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with sqlite_tables(tmp_path, SCHEMA) as engine:
        yield engine


def _names(engine: Engine) -> dict[str, str]:
    """What is in the file: name and kind."""
    with sqlite3.connect(str(engine.url.database)) as file:
        found = file.execute("SELECT name, type FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        return dict(found.fetchall())


def test_all_that_is_ours_has_the_prefix_and_the_hosts_tables_are_as_they_were(engine):
    TaskRequests(engine).submit(ANN, new_task())
    assert upgrade(engine) is None
    assert schema_state(engine) == "tables up to date"
    ours = {name: kind for name, kind in _names(engine).items() if name.startswith(f"{SCHEMA}_")}
    assert set(_names(engine)) - set(ours) == {*metadata.tables, "alembic_version"}
    tables = {name for name, kind in ours.items() if kind == "table"}
    assert tables == {f"{SCHEMA}_{name}" for name in {*metadata.tables, "waybill_version"}}
    with sqlite3.connect(str(engine.url.database)) as file:
        assert file.execute("SELECT * FROM alembic_version").fetchall() == [("a1b2c3d4e5f6",)]
        for table in metadata.tables:
            assert file.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608


def test_two_prefixes_share_a_file(engine):
    other = create_engine(engine.url.render_as_string(), schema=TableSchema("other"))
    upgrade(other)
    task = TaskRequests(engine).submit(ANN, new_task()).task
    assert TaskRequests(engine).get(ANN, task.id) == task
    with pytest.raises(TaskNotFound):
        TaskRequests(other).get(ANN, task.id)
    other.dispose()


def test_no_column_has_the_name_of_a_table():
    columns = {column.name for table in metadata.tables.values() for column in table.columns}
    assert columns.isdisjoint(metadata.tables)


def test_texts_in_statements_are_left_alone(engine):
    with engine.connect() as connection:
        text = connection.exec_driver_sql("SELECT 'it''s the worker, in audit_log'").scalar_one()
    assert text == "it's the worker, in audit_log"


def test_the_audit_log_is_protected_and_exported(engine, tmp_path):
    TaskRequests(engine).submit(ANN, new_task())
    assert AuditChain(engine).protection().missing == []
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit_log")

    operator = Principal("olga", "acme", frozenset({"waybill-operator"}))
    url = engine.url.render_as_string()
    settings = load(home=tmp_path, database_url=url, database_schema=SCHEMA)
    with (
        Stack(settings) as stack,
        open_source(url).open(stack.registry[AUDIT].query(AuditParams(), operator)) as stream,
    ):
        assert sum(batch.num_rows for batch in stream) == 1


def test_what_is_in_the_way_is_one_line(tmp_path):
    path = tmp_path / "host.db"
    with sqlite3.connect(path) as host:
        host.execute(HOST_TABLES[0])
        host.execute("CREATE TABLE exports_outbox (id INTEGER)")
    engine = create_engine(f"sqlite:///{path}", schema=TableSchema(SCHEMA))
    line = r"these names in the file: exports_outbox\. Name another prefix"
    for state in (upgrade, schema_state):
        with pytest.raises(BadSettings, match=line):
            state(engine)
    engine.dispose()
