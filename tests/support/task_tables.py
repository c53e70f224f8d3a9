"""Empty task tables on each supported database."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.servers.postgres import PostgresServer
from waybill.infra.db.engine import create_engine
from waybill.infra.db.migrate import upgrade

#: The databases that hold tasks, as parameters of a fixture. The fast lane takes SQLite.
DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.server))


@contextmanager
def task_tables(request: pytest.FixtureRequest, folder: Path) -> Iterator[Engine]:
    """An engine on empty task tables, in the database that the fixture's parameter names."""
    if request.param == "sqlite":
        with sqlite_tables(folder) as engine:
            yield engine
        return
    with postgres_tables(request.getfixturevalue("postgres_server")) as url:
        engine = create_engine(url)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def postgres_tables(server: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL database with empty task tables."""
    with server.database(_template(server)) as url:
        yield url


@functools.cache
def _template(server: PostgresServer) -> str:
    """The name of a database after all migrations, which take too long to run for each test."""
    name = "task_tables"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    engine = create_engine(server.url(name))
    upgrade(engine)
    engine.dispose()
    return name


@contextmanager
def sqlite_tables(folder: Path) -> Iterator[Engine]:
    """An engine on empty task tables, in an SQLite file in `folder`."""
    path = folder / "tasks.db"
    path.write_bytes(migrated_sqlite())
    engine = create_engine(f"sqlite:///{path}")
    try:
        yield engine
    finally:
        engine.dispose()


@functools.cache
def migrated_sqlite() -> bytes:
    """An SQLite file after all migrations, which take too long to run for each test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tasks.db"
        engine = create_engine(f"sqlite:///{path}")
        upgrade(engine)
        engine.dispose()
        return path.read_bytes()
