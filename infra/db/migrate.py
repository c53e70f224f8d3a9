"""Migrations of the task tables. Idempotent, and safe from many processes at once."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection, Engine

from waybill.infra.db.engine import write_transaction

#: Serialises migrations on PostgreSQL: an arbitrary number, WAYBILL on a phone keypad.
_ADVISORY_LOCK = 929_2455


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that are missing, in one transaction: all of them or none."""
    with write_transaction(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        command.upgrade(config(connection), revision)


def config(connection: Connection) -> Config:
    """Alembic's configuration, bound to an open transaction."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings
