"""Migrations of the task tables. Idempotent, and safe from many processes at once."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine

from waybill.infra.config.errors import BadSettings
from waybill.infra.db.engine import write_transaction

#: Serialises migrations on PostgreSQL: an arbitrary number, WAYBILL on a phone keypad.
_ADVISORY_LOCK = 929_2455


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that are missing, in one transaction: all of them or none.

    Raises:
        BadSettings: the tables are newer than this version, or the account may not change them.
    """
    try:
        with write_transaction(engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            command.upgrade(config(connection), revision)
    except CommandError as error:
        raise BadSettings(
            "WAYBILL_DATABASE_URL: the task tables are from a newer version of Waybill"
            f" ({error}). Start that version, or restore a backup."
        ) from error
    except (sa.exc.ProgrammingError, sa.exc.InternalError, sa.exc.OperationalError) as error:
        if isinstance(error, sa.exc.OperationalError) and engine.dialect.name != "sqlite":
            raise
        reason = str(error.orig).partition("\n")[0]
        raise BadSettings(
            f"WAYBILL_DATABASE_URL: the task tables cannot be created or upgraded: {reason}."
            " Run `waybill migrate` with an account that may."
        ) from error


def config(connection: Connection) -> Config:
    """Alembic's configuration, bound to an open transaction."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings
