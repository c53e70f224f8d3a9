"""Connections of a host application: used inside its transaction, and left as they were."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, scoped_session

from waybill.infra.db.schema import naming_schema

if TYPE_CHECKING:
    from psycopg import Connection as PsycopgConnection

    #: What `borrowed` takes: of SQLAlchemy, scoped as Flask has it, or of the driver, as Django's.
    Lent = Connection | Session | scoped_session[Any] | PsycopgConnection[Any] | sqlite3.Connection

_NO_TRANSACTION = "The connection has no transaction: open one, and commit it after the submission."


@contextmanager
def borrowed(lent: Lent, schema: str | None) -> Iterator[Connection]:
    """A connection in the transaction of `lent`, whose statements name `schema`.

    What the block does is undone if it raises, and is otherwise part of the transaction, which
    stays open: its owner commits it or rolls it back.

    Raises:
        ValueError: `lent` commits each statement by itself.
        TypeError: it is no connection of a supported kind.
    """
    if isinstance(lent, scoped_session):
        lent = lent()
    if isinstance(lent, Session):
        lent = lent.connection()
    if isinstance(lent, Connection):
        if _commits_each_statement(lent):
            raise ValueError(_NO_TRANSACTION)
        with _savepoint(lent), naming_schema(lent, schema):
            yield lent
        return
    engine = _engine_on(lent)
    try:
        with (
            engine.connect() as connection,
            _savepoint(connection),
            naming_schema(connection, schema),
        ):
            yield connection
    finally:
        engine.dispose()


def _commits_each_statement(connection: Connection) -> bool:
    # On SQLite the engine begins transactions with statements of its own.
    if connection.dialect.name == "sqlite":
        return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    driver = connection.connection.dbapi_connection
    # Some dialects cannot tell; what they have is taken for a transaction.
    with suppress(NotImplementedError):
        return driver is not None and connection.dialect.detect_autocommit_setting(driver)
    return False


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        # Python's driver begins none before a savepoint, whose release would be the commit then.
        if not getattr(driver, "in_transaction", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    with connection.begin_nested():
        yield


def _engine_on(driver: Any) -> sa.Engine:
    """An engine whose only connection is `driver`, and which never ends a transaction of it."""
    if isinstance(driver, sqlite3.Connection):
        if driver.isolation_level is None and not driver.in_transaction:
            raise ValueError(_NO_TRANSACTION)
        return _engine("sqlite://", _Sqlite(driver))
    # A program that has such a connection has imported it.
    psycopg = sys.modules.get("psycopg")
    if psycopg is None or not isinstance(driver, psycopg.Connection):
        kind = f"{type(driver).__module__}.{type(driver).__qualname__}"
        raise TypeError(
            "submit takes a connection or a session of SQLAlchemy, or a connection of psycopg 3"
            f" (psycopg.Connection) or sqlite3, not {kind.removeprefix('builtins.')}."
        )
    from psycopg.pq import TransactionStatus

    if driver.autocommit and driver.info.transaction_status == TransactionStatus.IDLE:
        raise ValueError(_NO_TRANSACTION)
    # The look-up of hstore would ask the database for a type that we do not use.
    return _engine("postgresql+psycopg://", _Psycopg(driver), use_native_hstore=False)


def _engine(url: str, connection: _Borrowed, **options: bool) -> sa.Engine:
    return sa.create_engine(
        url, creator=lambda: connection, poolclass=sa.NullPool, hide_parameters=True, **options
    )


class _Borrowed:
    """A driver's connection whose transaction SQLAlchemy does not end."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def commit(self) -> None:
        """Leave it to the owner."""

    def rollback(self) -> None:
        """Leave it to the owner."""

    def close(self) -> None:
        """Leave it to the owner."""


class _Sqlite(_Borrowed):
    """One of `sqlite3`."""

    def create_function(self, *_arguments: Any, **_options: Any) -> None:
        """Add none of SQLAlchemy's functions: they would stay."""


class _Psycopg(_Borrowed):
    """One of psycopg 3."""

    def cursor(self, *_arguments: Any, **_options: Any) -> Any:
        """A plain cursor: the owner's may have rows of another kind, or load JSON as text."""
        from psycopg import Cursor
        from psycopg.rows import tuple_row
        from psycopg.types.json import JsonbLoader, JsonLoader

        cursor = Cursor(self._driver, row_factory=tuple_row)
        cursor.adapters.register_loader("json", JsonLoader)
        cursor.adapters.register_loader("jsonb", JsonbLoader)
        return cursor
