"""Migrations of the task tables. Idempotent, and safe from many processes at once."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine

from waybill.infra.config.errors import BadSettings, DatabaseUnavailable
from waybill.infra.db.availability import is_unreachable, reason_of
from waybill.infra.db.engine import read_transaction, write_transaction

#: Serialises migrations on PostgreSQL: an arbitrary number, WAYBILL on a phone keypad.
_ADVISORY_LOCK = 929_2455

_NEWER = (
    "WAYBILL_DATABASE_URL: the task tables are from a newer version of Waybill ({})."
    " Start that version, or restore a backup."
)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that are missing, in one transaction: all of them or none.

    Raises:
        BadSettings: the tables are newer than this version, or the account may not change them.
        DatabaseUnavailable: the connection was lost.
    """
    try:
        with write_transaction(engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            command.upgrade(config(connection), revision)
    except CommandError as error:
        raise BadSettings(_NEWER.format(error)) from error
    except (sa.exc.ProgrammingError, sa.exc.InternalError, sa.exc.OperationalError) as error:
        if is_unreachable(error):
            raise DatabaseUnavailable(reason_of(error)) from error
        reason = str(error.orig).partition("\n")[0]
        raise BadSettings(
            f"WAYBILL_DATABASE_URL: the task tables cannot be created or upgraded: {reason}."
            " Run `waybill migrate` with an account that may."
        ) from error


def schema_state(engine: Engine) -> str:
    """Where the task tables stand, in a few words for people.

    Raises:
        BadSettings: they are newer than this version.
    """
    with read_transaction(engine) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        scripts = ScriptDirectory.from_config(config(connection))
    if current is None:
        return "tables not made yet: `waybill migrate` or the first start makes them"
    if current == scripts.get_current_head():
        return "tables up to date"
    try:
        scripts.get_revision(current)
    except CommandError:
        raise BadSettings(_NEWER.format(current)) from None
    return "tables of an older version: `waybill migrate` or the next start upgrades them"


def config(connection: Connection) -> Config:
    """Alembic's configuration, bound to an open transaction."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings
