"""The migrations make the tables the code expects, and can be taken back."""

from __future__ import annotations

from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Engine

from waybill.infra.config.errors import BadSettings
from waybill.infra.db.engine import create_engine, read_transaction, write_transaction
from waybill.infra.db.migrate import config, upgrade
from waybill.infra.db.tables import metadata


def differences(engine: Engine) -> list[object]:
    with read_transaction(engine) as connection:
        return compare_metadata(MigrationContext.configure(connection), metadata)


def test_migrations_and_tables_are_the_same(engine: Engine):
    assert not differences(engine)


def test_migrations_can_be_taken_back_and_run_again(engine: Engine):
    with write_transaction(engine) as connection:
        command.downgrade(config(connection), "base")
    assert differences(engine)
    upgrade(engine)
    assert not differences(engine)


def test_tables_of_a_newer_version_are_one_line(engine: Engine):
    with write_transaction(engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadSettings, match="newer version of Waybill") as caught:
        upgrade(engine)
    assert "9999" in caught.value.message


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
