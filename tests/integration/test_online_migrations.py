"""F89: migrations on a PostgreSQL that is in use, beside transactions that do not end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection, Engine

from tests.support.earlier_writes import begin_task, write
from tests.support.eventually import wait_for
from waybill.infra.config.errors import BadSettings, DatabaseUnavailable
from waybill.infra.db.engine import create_engine, read_transaction, write_transaction
from waybill.infra.db.migrate import MigrationPauses, upgrade
from waybill.infra.db.tables import VERSION_TABLE, metadata

SHORT = MigrationPauses(
    lock_timeout=timedelta(milliseconds=50),
    pause=timedelta(milliseconds=20),
    give_up_after=timedelta(minutes=2),
)
#: A percent sign would be a placeholder of the driver.
WAITING_BUILD = (
    "SELECT pid FROM pg_stat_activity WHERE query LIKE '%%INDEX CONCURRENTLY%%'"
    " AND wait_event_type = 'Lock' AND datname = current_database()"
)
INVALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    yield engine
    engine.dispose()


def _alembic(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})


def is_complete(engine: Engine) -> bool:
    """Whether the tables are what the code expects, with every index usable."""
    with read_transaction(engine) as connection:
        differences = compare_metadata(_alembic(connection), metadata)
    return not differences and not answer(engine, INVALID)


def answer(engine: Engine, question: str) -> Any:
    """The one value of a query, in a transaction of its own: statistics stay for one."""
    with read_transaction(engine) as connection:
        return connection.exec_driver_sql(question).scalar()


def test_f89_requests_go_on_while_a_migration_waits_for_a_long_transaction(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade(engine, "0001")
    with write_transaction(engine) as connection:
        task = begin_task(connection)
    with engine.connect() as long, ThreadPoolExecutor() as threads:
        transaction = long.begin()
        begin_task(long)
        with caplog.at_level(logging.WARNING):
            migration = threads.submit(upgrade, engine, pauses=SHORT)
            wait_for(lambda: "waits for a transaction" in caplog.text)
            for _ in range(20):
                write(engine, task)
        assert not migration.done()
        transaction.commit()
        migration.result()

    assert is_complete(engine)


def test_f89_a_transaction_that_never_ends_is_named_after_a_time(engine: Engine) -> None:
    upgrade(engine, "0001")
    with engine.connect() as long:
        begin_task(long)
        with pytest.raises(DatabaseUnavailable, match="a transaction keeps them locked"):
            upgrade(engine, pauses=replace(SHORT, give_up_after=timedelta(0)))


def test_f89_an_index_is_built_beside_old_snapshots_and_again_after_an_interruption(
    engine: Engine,
) -> None:
    upgrade(engine, "0010")
    with write_transaction(engine) as connection:
        task = begin_task(connection)
    with engine.connect() as long, ThreadPoolExecutor() as threads:
        transaction = long.begin()
        begin_task(long)
        interrupted = threads.submit(upgrade, engine, pauses=SHORT)
        build = wait_for(lambda: answer(engine, WAITING_BUILD))
        answer(engine, f"SELECT pg_cancel_backend({build})")
        with pytest.raises(BadSettings, match="canceling statement"):
            interrupted.result()
        assert answer(engine, INVALID) == 1

        migrations = [threads.submit(upgrade, engine, pauses=SHORT) for _ in range(3)]
        wait_for(lambda: answer(engine, WAITING_BUILD))
        # A process of the version before starts, and waits for its lock in a statement.
        answer(engine, "SELECT pg_advisory_xact_lock(9292455)")
        for _ in range(20):
            write(engine, task)
        assert not [one for one in migrations if one.done()]
        transaction.commit()
        assert [one.result() for one in migrations] == [None] * 3

    assert is_complete(engine)
