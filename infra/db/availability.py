"""Whether the task database can be used: it answers, takes writes, and has our tables."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError

from waybill.infra.config.errors import (
    ClockSkew,
    DatabaseReadOnly,
    DatabaseUnavailable,
    TablesMissing,
)
from waybill.infra.config.task_database_refusals import known_reason
from waybill.infra.db.engine import database_now, read_transaction
from waybill.infra.db.tables import export_task

#: Tokens are accepted 30 s late: `waybill.api.session.tokens`. Beyond that people notice.
_MAX_SKEW = timedelta(seconds=30)


def check_available(engine: Engine, *, writes: bool = True, tables: bool = False) -> None:
    """Raise unless `engine` answers, and with `writes` and `tables` can be used in earnest.

    Raises:
        DatabaseReadOnly: it is a standby, or its file, session or role is read-only.
        TablesMissing: `waybill migrate` was not run.
        DatabaseUnavailable: no connection, for the reason in the message.
    """
    try:
        with read_transaction(engine) as connection:
            connection.exec_driver_sql("SELECT 1")
            if writes:
                _check_writable(connection)
            if tables:
                _check_tables(connection)
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(reason_of(error)) from error


def check_clock(engine: Engine) -> None:
    """Raise unless this machine's clock agrees with the database's to 30 seconds.

    Raises:
        ClockSkew: tokens and links end early or late.
        DatabaseUnavailable: no connection.
    """
    try:
        with read_transaction(engine) as connection:
            ahead = datetime.now(UTC) - database_now(connection)
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(reason_of(error)) from error
    refuse_skew(-ahead, "the task database")


def refuse_skew(ahead: timedelta, whose: str) -> None:
    """Raise `ClockSkew` if a clock is more than 30 seconds `ahead` of ours, or behind it."""
    if abs(ahead) > _MAX_SKEW:
        seconds = abs(ahead) // timedelta(seconds=1)
        way = "behind" if ahead > timedelta(0) else "ahead of"
        raise ClockSkew(f"The clock of this machine is {seconds:,} s {way} that of {whose}.")


def reason_of(error: SQLAlchemyError) -> str:
    """Why the database cannot be used, in one sentence without names, addresses or secrets."""
    if known := known_reason(error):
        return known
    cause = error.orig if isinstance(error, DBAPIError) else error
    if code := getattr(cause, "sqlite_errorname", None):
        return f"SQLite cannot open the task tables ({code})."
    state = getattr(cause, "sqlstate", None)
    other = f"The task database refuses a statement ({state})." if state else None
    return other or DatabaseUnavailable().message


def _check_writable(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        standby, read_only = connection.exec_driver_sql(
            "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')"
        ).one()
        if standby:
            raise DatabaseReadOnly(
                "The task database is a standby and takes no writes. WAYBILL_DATABASE_URL has to"
                " lead to the primary."
            )
        if read_only == "on":
            raise DatabaseReadOnly(
                "The task database takes no writes: default_transaction_read_only is on for this"
                " server, database or user."
            )
        return
    path = connection.engine.url.database if connection.dialect.name == "sqlite" else None
    if path and not _may_be_written(Path(path)):
        raise DatabaseReadOnly(
            "The SQLite file of the task tables, or its folder, cannot be written by this user."
        )


def _may_be_written(path: Path) -> bool:
    return not path.exists() or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _check_tables(connection: Connection) -> None:
    try:
        connection.execute(sa.select(export_task.c.id).limit(0))
    except (ProgrammingError, OperationalError) as error:
        if is_missing(error):
            raise TablesMissing from error
        raise


def is_unreachable(error: DBAPIError) -> bool:
    """Whether there is no connection, as opposed to a statement that failed."""
    sqlite = getattr(error.orig, "sqlite_errorname", None)
    if sqlite is not None:
        return bool(sqlite != "SQLITE_ERROR")
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) is None


def is_missing(error: DBAPIError) -> bool:
    """Whether a statement failed because a table or a column is not there."""
    state = getattr(error.orig, "sqlstate", None)
    return state in ("42P01", "42703") or str(error.orig).startswith(
        ("no such table", "no such column")
    )
