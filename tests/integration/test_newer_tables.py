"""F88: processes of this version start beside tables that a newer version has changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import environment, run
from tests.support.task_tables import sqlite_tables
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import Settings
from waybill.infra.db.engine import create_engine, write_transaction
from waybill.storage.memory import MemoryStore


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """The URL of tables that a version after this one has changed."""
    with sqlite_tables(tmp_path) as engine:
        with write_transaction(engine) as connection:
            connection.exec_driver_sql("UPDATE waybill_version SET version_num = '9999'")
        yield engine.url.render_as_string()


def test_f88_a_process_starts_and_logs_one_line(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=tmp_path, database_url=database)
    engine = create_engine(database)
    with (
        caplog.at_level(logging.WARNING),
        Stack(settings, engine=engine, store=MemoryStore()) as stack,
    ):
        stack.prepare()
        stack.check_database(tables=True)
        assert stack.services().requests.count_by_status()
    engine.dispose()

    [line] = [entry for entry in caplog.records if "newer version" in entry.message]
    assert line.__dict__["revision"] == "9999"


def test_f88_migrate_leaves_the_tables_alone_and_says_so(database: str, tmp_path: Path) -> None:
    env = environment(tmp_path / "home", database)
    migrated, told = run(env, "migrate", "--json"), run(env, "migrate")

    assert (migrated.returncode, migrated.stderr) == (told.returncode, told.stderr) == (0, "")
    assert json.loads(migrated.stdout) == {"status": "newer", "revision": "9999"}
    assert told.stdout == "The task tables are of a newer version (9999), and stay as they are.\n"
