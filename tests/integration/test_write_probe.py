"""F102: `/readyz` writes where requests write, and leaves nothing there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.servers.postgres import PostgresServer
from tests.support.small_disk import small_disk
from tests.support.task_tables import DATABASES, migrated_sqlite, task_tables
from waybill.infra.bootstrap import Stack
from waybill.infra.config.errors import DatabaseUnavailable
from waybill.infra.config.settings import load
from waybill.infra.db.engine import create_engine, write_transaction
from waybill.infra.db.migrate import upgrade
from waybill.infra.db.tables import metadata
from waybill.infra.db.write_probe import probe_writes
from waybill.storage.memory import MemoryStore


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest, tmp_path: Path):
    with task_tables(request, tmp_path) as engine:
        yield engine


def test_f102_the_probe_leaves_no_row(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        counts = [sa.select(sa.func.count()).select_from(t) for t in metadata.sorted_tables]
        before = [connection.execute(count).scalar_one() for count in counts]
    probe_writes(engine)
    with engine.connect() as connection:
        assert [connection.execute(count).scalar_one() for count in counts] == before


def test_f102_readiness_writes_and_says_who_may_not(postgres_url: str, tmp_path: Path) -> None:
    engine = create_engine(postgres_url)
    upgrade(engine)
    with write_transaction(engine) as connection:
        connection.exec_driver_sql("REVOKE INSERT ON token_bucket FROM PUBLIC, CURRENT_USER")
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE insufficient_privilege; END$$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON token_bucket EXECUTE FUNCTION refuse()"
        )
    engine.dispose()
    with (
        Stack(load(home=tmp_path, database_url=postgres_url), store=MemoryStore()) as stack,
        pytest.raises(DatabaseUnavailable, match="may not write to the task tables"),
    ):
        stack.services().checks["database"]()


def test_f102_a_full_disk_of_an_sqlite_file_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path, 8 << 20) as disk:
        path = disk.folder / "tasks.db"
        path.write_bytes(migrated_sqlite())
        engine = create_engine(f"sqlite:///{path}")
        probe_writes(engine)
        disk.fill()
        with pytest.raises(DatabaseUnavailable, match="The disk of the task tables is full"):
            probe_writes(engine)
        disk.empty()
        probe_writes(engine)
        engine.dispose()


@pytest.mark.slow
def test_f102_a_full_disk_of_postgresql_is_named() -> None:
    folder = Path(tempfile.mkdtemp(prefix="waybill-disk-"))
    try:
        with small_disk(folder, 256 << 20) as disk:
            home = disk.folder / "server"
            home.mkdir()
            server = PostgresServer(home)
            server.start()
            engine = create_engine(server.url())
            try:
                upgrade(engine)
                probe_writes(engine)
                disk.fill()
                with pytest.raises(DatabaseUnavailable, match="disk of the task tables is full"):
                    probe_writes(engine)
                disk.empty()
                probe_writes(engine)
            finally:
                engine.dispose()
                server.stop(immediate=True)
    finally:
        shutil.rmtree(folder)
