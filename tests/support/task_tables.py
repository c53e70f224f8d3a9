"""Empty task tables on each supported database."""

from __future__ import annotations

import functools
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.servers.postgres import PostgresServer
from waybill.infra.db.engine import create_engine
from waybill.infra.db.migrate import upgrade
from waybill.infra.db.schema import TableSchema
from waybill.infra.db.tables import metadata

#: The databases that hold tasks, as parameters of a fixture. The fast lane takes SQLite.
DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.server))
#: A PostgreSQL in which no search path leads to the tables: statements have to name their schema.
IN_A_SCHEMA = pytest.param("schema", marks=pytest.mark.server)
SCHEMA = "exports"
#: An SQLite file of a host application with tables of our names: ours have a prefix.
IN_A_HOSTS_FILE = "prefix"
#: Of that host. A statement without the prefix meets a table without our columns.
HOST_TABLES = (
    "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('a1b2c3d4e5f6')",
    *(f"CREATE TABLE {table} (of_the_host TEXT)" for table in metadata.tables),
)


@contextmanager
def task_tables(request: pytest.FixtureRequest, folder: Path) -> Iterator[Engine]:
    """An engine on empty task tables, in the database that the fixture's parameter names."""
    if request.param in ("sqlite", IN_A_HOSTS_FILE):
        with sqlite_tables(folder, SCHEMA if request.param == IN_A_HOSTS_FILE else None) as engine:
            yield engine
        return
    schema = SCHEMA if request.param == "schema" else None
    with postgres_tables(request.getfixturevalue("postgres_server"), schema) as url:
        engine = create_engine(url, schema=TableSchema(schema) if schema else None)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def postgres_tables(server: PostgresServer, schema: str | None = None) -> Iterator[str]:
    """The URL of a PostgreSQL database with empty task tables, in `schema` or in ``public``."""
    with server.database(_template(server, schema)) as url:
        yield url


@functools.cache
def _template(server: PostgresServer, schema: str | None) -> str:
    """The name of a database after all migrations, which take too long to run for each test."""
    name = f"task_tables_{schema or 'public'}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    engine = create_engine(server.url(name), schema=TableSchema(schema or "public"))
    upgrade(engine)
    engine.dispose()
    return name


@contextmanager
def sqlite_tables(folder: Path, prefix: str | None = None) -> Iterator[Engine]:
    """An engine on empty task tables, in an SQLite file in `folder`."""
    path = folder / "tasks.db"
    path.write_bytes(migrated_sqlite(prefix))
    engine = create_engine(f"sqlite:///{path}", schema=TableSchema(prefix))
    try:
        yield engine
    finally:
        engine.dispose()


@functools.cache
def migrated_sqlite(prefix: str | None = None) -> bytes:
    """An SQLite file after all migrations, which take too long to run for each test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tasks.db"
        if prefix:
            with closing(sqlite3.connect(path)) as host, host:
                for statement in HOST_TABLES:
                    host.execute(statement)
        engine = create_engine(f"sqlite:///{path}", schema=TableSchema(prefix))
        upgrade(engine)
        engine.dispose()
        return path.read_bytes()
