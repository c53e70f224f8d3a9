"""`waybill.submit`: a task and its wake-up live and die with the caller's transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.types.string import TextLoader
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

import waybill
from tests.support.task_store import ANN
from tests.support.task_tables import DATABASES, IN_A_HOSTS_FILE, IN_A_SCHEMA, SCHEMA, task_tables
from waybill.api.exports import in_transaction
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.schema import naming_of
from waybill.infra.db.tables import audit_log, export_task, file_key, outbox
from waybill.infra.tasks.lifecycle.quotas import NotNow


@pytest.fixture(params=[*DATABASES, IN_A_SCHEMA, IN_A_HOSTS_FILE])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """The task tables, in the database of a host application."""
    with task_tables(request, tmp_path) as engine:
        yield engine


@pytest.fixture(autouse=True)
def settings(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Those of a host's environment."""
    schema = {"WAYBILL_DATABASE_SCHEMA": SCHEMA} if _is_in_a_schema(engine) else {}
    for name, value in {
        "WAYBILL_HOME": str(tmp_path / "home"),
        "WAYBILL_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "WAYBILL_S3_ENDPOINT_URL": "http://127.0.0.1:9",
        "WAYBILL_S3_ACCESS_KEY_ID": "x",
        "WAYBILL_S3_SECRET_ACCESS_KEY": "x",
        "WAYBILL_MAX_QUEUED_PER_USER": "2",
        **schema,
    }.items():
        monkeypatch.setenv(name, value)
    with in_transaction.services_of_this_process():
        yield


def _is_in_a_schema(engine: Engine) -> bool:
    with engine.connect() as connection:
        return naming_of(connection) == SCHEMA


def counts(engine: Engine) -> list[int]:
    """Tasks, wake-ups and audit entries."""
    with read_transaction(engine) as connection:
        return [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (export_task, outbox, audit_log)
        ]


@contextmanager
def of_the_driver(engine: Engine) -> Iterator[Any]:
    """A connection of the driver, with habits of its own: dictionaries for rows, JSON as text."""
    if engine.dialect.name == "sqlite":
        connection: Any = sqlite3.connect(str(engine.url.database))
        connection.row_factory = sqlite3.Row
    else:
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(url, row_factory=psycopg.rows.dict_row)
        connection.adapters.register_loader("jsonb", TextLoader)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def of_sqlalchemy(engine: Engine, kind: type) -> Iterator[Any]:
    """A connection or a session of an engine that knows nothing of Waybill."""
    url = engine.url.render_as_string(hide_password=False)
    host = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        if kind is scoped_session:
            sessions = scoped_session(sessionmaker(host))
            yield sessions
            sessions.remove()
            return
        with Session(host) if kind is Session else host.connect() as lent:
            yield lent
    finally:
        host.dispose()


OWNERS = {
    "connection": lambda engine: of_sqlalchemy(engine, sa.Connection),
    "session": lambda engine: of_sqlalchemy(engine, Session),
    # As Flask-SQLAlchemy has it.
    "scoped session": lambda engine: of_sqlalchemy(engine, scoped_session),
    "driver": of_the_driver,
}


@pytest.mark.parametrize("owner", OWNERS)
def test_the_task_lives_or_dies_with_the_commit(engine, owner):
    with OWNERS[owner](engine) as lent:
        lost = waybill.submit(lent, "orders", params={"city": "Rome"}, user=ANN)
        lent.rollback()
        assert counts(engine) == [0, 0, 0]
        kept = waybill.submit(lent, "orders", params={"city": "Rome"}, format="csv", user=ANN)
        # The second one is the first, as over HTTP.
        again = waybill.submit(lent, "orders", params={"city": "Rome"}, format="csv", user=ANN)
        lent.commit()
    assert counts(engine) == [1, 1, 1]
    assert (kept.deduplicated, again.deduplicated, again.id) == (False, True, kept.id)
    assert (kept.type, kept.format, kept.status) == ("orders", "csv", "PENDING")
    assert lost.filename.endswith(".xlsx")


@pytest.mark.parametrize("owner", OWNERS)
def test_a_password_is_told_by_the_result_and_its_keys_live_with_the_task(engine, owner):
    with OWNERS[owner](engine) as lent:
        asked = waybill.submit(lent, "orders", user=ANN, password=True)
        lent.commit()
    assert asked.password is not None
    assert asked.password not in repr(asked)
    with read_transaction(engine) as connection:
        kept = connection.execute(sa.select(file_key)).mappings().one()
    assert (kept["task_id"], kept["sets_used"]) == (asked.id, 0)
    assert asked.password.encode() not in kept["sealed"]


def test_what_is_refused_leaves_the_transaction_as_it_was(engine):
    refusals = {
        waybill.ExportRejected: {"user": waybill.Principal("eve", "acme")},
        ValueError: {"user": ANN, "params": {"city": 7}},
        waybill.WaybillError: {"user": ANN, "format": "pdf"},
    }
    with of_sqlalchemy(engine, sa.Connection) as lent:
        for error, asked in refusals.items():
            with pytest.raises(error):
                waybill.submit(lent, "orders", **asked)
        for city in ("Rome", "Lisbon"):
            waybill.submit(lent, "orders", params={"city": city}, user=ANN)
        with pytest.raises(NotNow):
            waybill.submit(lent, "orders", params={"city": "Berlin"}, user=ANN)
        lent.commit()
    assert counts(engine) == [2, 2, 2]


def test_a_connection_without_a_transaction_is_refused(engine):
    with of_the_driver(engine) as lent:
        if isinstance(lent, sqlite3.Connection):
            lent.isolation_level = None
        else:
            lent.autocommit = True
        with pytest.raises(ValueError, match="has no transaction"):
            waybill.submit(lent, "orders", user=ANN)
    with of_sqlalchemy(engine, sa.Connection) as lent:
        automatic = lent.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(ValueError, match="has no transaction"):
            waybill.submit(automatic, "orders", user=ANN)
    with pytest.raises(TypeError, match=r"not object\."):
        waybill.submit(object(), "orders", user=ANN)
    with pytest.raises(TypeError, match=r"not sqlalchemy\.engine\.base\.Engine\."):
        waybill.submit(engine, "orders", user=ANN)


def test_the_host_s_statements_name_no_schema_afterwards(engine):
    with of_sqlalchemy(engine, sa.Connection) as lent:
        waybill.submit(lent, "orders", user=ANN)
        notes = sa.Table("notes", sa.MetaData(), sa.Column("id", sa.Integer))
        notes.create(lent)
        assert lent.execute(sa.select(notes)).all() == []
        assert "exports" not in (sa.inspect(lent).default_schema_name or "")
        lent.rollback()


@asynccontextmanager
async def of_asyncio(host: AsyncEngine, owner: str) -> AsyncIterator[Any]:
    """What a program with asyncio has."""
    if owner == "scoped session":
        sessions = async_scoped_session(async_sessionmaker(host), scopefunc=asyncio.current_task)
        yield sessions
        await sessions.remove()
        return
    async with host.connect() if owner == "connection" else AsyncSession(host) as lent:
        yield lent


@pytest.mark.parametrize(
    "engine", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True
)
async def test_a_connection_of_the_driver_s_own_asyncio_is_refused_in_those_words(engine):
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url) as lent:
        with pytest.raises(TypeError, match=r"\(psycopg\.Connection\).* not psycopg\.AsyncConn"):
            waybill.submit(lent, "orders", user=ANN)


@pytest.mark.parametrize(
    "engine", [pytest.param("postgresql", marks=pytest.mark.server), IN_A_SCHEMA], indirect=True
)
@pytest.mark.parametrize("owner", ["connection", "session", "scoped session"])
async def test_an_async_connection_awaits_the_same(engine, owner):
    host = create_async_engine(engine.url, poolclass=sa.NullPool)
    try:
        async with of_asyncio(host, owner) as lent:
            await waybill.submit(lent, "orders", user=ANN)
            await lent.rollback()
            assert counts(engine) == [0, 0, 0]
            await waybill.submit(lent, "orders", user=ANN)
            await lent.commit()
    finally:
        await host.dispose()
    assert counts(engine) == [1, 1, 1]
