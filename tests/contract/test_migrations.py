"""The migrations make the tables the code expects, and can be taken back."""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Engine

from waybill.infra.db.engine import read_transaction, write_transaction
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
