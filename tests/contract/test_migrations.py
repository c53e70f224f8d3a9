"""The migrations make the tables the code expects, and can be taken back."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection, Engine

from tests.support.task_store import ANN, new_task
from waybill.infra.config.errors import BadSettings
from waybill.infra.db.engine import create_engine, read_transaction, write_transaction
from waybill.infra.db.migrate import config, schema_state, upgrade
from waybill.infra.db.tables import VERSION_TABLE, metadata
from waybill.infra.tasks.lifecycle.requests import TaskRequests


def _alembic(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})


def differences(engine: Engine) -> list[object]:
    with read_transaction(engine) as connection:
        return compare_metadata(_alembic(connection), metadata)


def test_migrations_and_tables_are_the_same(engine: Engine):
    assert not differences(engine)


def test_migrations_can_be_taken_back_and_run_again(engine: Engine):
    with write_transaction(engine) as connection:
        command.downgrade(config(connection), "base")
    assert differences(engine)
    upgrade(engine)
    assert not differences(engine)


def test_f88_tables_of_a_newer_version_stay_as_they_are(engine: Engine):
    with write_transaction(engine) as connection:
        connection.execute(sa.text("UPDATE waybill_version SET version_num = '9999'"))
        connection.execute(sa.text("ALTER TABLE export_task ADD COLUMN of_tomorrow TEXT"))
    assert upgrade(engine) == "9999"
    assert "newer version (9999)" in schema_state(engine)
    requests = TaskRequests(engine)
    task = requests.submit(ANN, new_task()).task
    assert requests.get(ANN, task.id) == task


def test_tables_of_another_program_are_one_line(engine: Engine):
    with write_transaction(engine) as connection:
        connection.execute(sa.text("UPDATE waybill_version SET version_num = 'a1b2c3d4e5f6'"))
    for ask in (upgrade, schema_state):
        with pytest.raises(BadSettings, match=r"not Waybill's \(a1b2c3d4e5f6\)"):
            ask(engine)


@pytest.mark.server
def test_an_account_that_may_not_create_tables_is_one_line(postgres_url: str):
    admin = create_engine(postgres_url)
    role = f"reader_{uuid4().hex}"
    with write_transaction(admin) as connection:
        connection.execute(sa.text(f"CREATE ROLE {role} LOGIN PASSWORD 'x'"))
    admin.dispose()
    engine = create_engine(
        sa.make_url(postgres_url)
        .set(username=role, password="x")
        .render_as_string(hide_password=False)
    )
    with pytest.raises(BadSettings, match="permission denied for schema public"):
        upgrade(engine)
    engine.dispose()
