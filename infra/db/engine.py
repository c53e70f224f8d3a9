"""The task database: engines, transactions, its clock and its locks, on PostgreSQL and SQLite.

`write_transaction` takes the write lock at once on SQLite (``BEGIN IMMEDIATE``): a deferred
transaction that reads and then writes fails in WAL mode without waiting for the busy
timeout (measured). `read_transaction` never takes it. Both roll back unless they end cleanly.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from waybill.infra.config.database_urls import standard_url
from waybill.infra.config.errors import BadSettings
from waybill.infra.db.idle_connections import check_when_idle
from waybill.infra.db.schema import TableSchema, schema_of

#: How long a SQLite writer waits for another one before giving up.
_BUSY_TIMEOUT_MS = 15_000
#: Held while a file of SQLite is made.
_MAKING = Lock()
_READ_ONLY = "waybill_read_only"
_READ_ONLY_TRANSACTION, _SILENT_IN_TRANSACTION = "25006", "25P03"
#: After these a connection is not used again.
_ENDS_THE_CONNECTION = (_READ_ONLY_TRANSACTION, _SILENT_IN_TRANSACTION)
#: No writes, a silent session ended, tables missing or of another version. (SQLSTATE)
_STATES_OF_THE_DATABASE = (*_ENDS_THE_CONNECTION, "42P01", "42703")
#: For psycopg; the URL cannot override it.
_POSTGRES: dict[str, Any] = {
    # A pooler in transaction mode, such as PgBouncer, gives each transaction another session, which
    # does not know what an earlier one prepared.
    "prepare_threshold": None,
}
#: For libpq, unless the URL says otherwise. Without these, a database host that vanishes blocks a
#: query until the kernel gives up: 15 minutes on Linux (`tcp_retries2`), two hours for an idle
#: connection.
_POSTGRES_DEFAULTS: dict[str, Any] = {
    "application_name": "waybill",
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # Milliseconds that sent bytes may stay unacknowledged; half a default lease.
    "tcp_user_timeout": 30_000,
}


#: No transaction of ours waits for anything but the database. One that is silent for this long
#: belongs to a process that was frozen, and its row locks would stop those that rescue its task.
_IDLE_IN_TRANSACTION = timedelta(seconds=30)


#: As many connections as an API process has threads that work on requests
#: (`waybill.api.http.admission.Lanes`): these stay open. A connection beyond them is made for one
#: use, which costs more than most requests.
_POOL_SIZE = 16
#: For the relay, the event streams, the readiness checks and audit records of refusals.
_MORE_CONNECTIONS = 6
#: Seconds to wait for a connection. A longer wait is one among too many.
_POOL_TIMEOUT = 10


def create_engine(
    url: str,
    *,
    schema: TableSchema | None = None,
    pool_size: int = _POOL_SIZE,
    idle_in_transaction: timedelta = _IDLE_IN_TRANSACTION,
) -> Engine:
    """An engine for the task tables. Connects lazily.

    Statements name `schema`; without one the search path of PostgreSQL decides.

    PostgreSQL ends a session that is silent inside a transaction for `idle_in_transaction`.

    Raises:
        BadSettings: the URL cannot be read, or names a database that is not supported.
    """
    try:
        parsed = make_url(standard_url(url))
    except (ArgumentError, ValueError):
        raise BadSettings("WAYBILL_DATABASE_URL is not a database URL.") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        engine = _postgres_engine(parsed, pool_size, idle_in_transaction)
        if schema is not None:
            schema.attach(engine)
        return engine
    if backend == "sqlite":
        engine = _sqlite_engine(parsed)
        if schema is not None:
            schema.attach(engine)
        return engine
    raise BadSettings(
        f"WAYBILL_DATABASE_URL: {backend} cannot hold the task tables; PostgreSQL and SQLite can."
        " Rows of other databases are read from WAYBILL_SOURCE_URL."
    )


def _sqlite_engine(url: sa.URL) -> Engine:
    if url.database:
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadSettings(
                "WAYBILL_DATABASE_URL: the folder of the SQLite file cannot be made:"
                f" {error.strerror}."
            ) from None
    try:
        engine = sa.create_engine(url, hide_parameters=True)
    except ArgumentError:
        raise BadSettings("WAYBILL_DATABASE_URL: a SQLite URL is sqlite:/// and a path.") from None
    event.listen(engine, "do_connect", _make_private)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres_engine(url: sa.URL, pool_size: int, idle_in_transaction: timedelta) -> Engine:
    url = url.set(drivername="postgresql+psycopg").difference_update_query(_POSTGRES)
    defaults = {k: v for k, v in _POSTGRES_DEFAULTS.items() if k not in url.query}
    try:
        engine = sa.create_engine(
            url,
            pool_size=pool_size,
            max_overflow=_MORE_CONNECTIONS,
            pool_timeout=_POOL_TIMEOUT,
            # What was used last is used next, and needs no test.
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args=defaults | _POSTGRES,
        )
        _check_options(engine)
    except ModuleNotFoundError:
        raise BadSettings(
            "WAYBILL_DATABASE_URL: the driver for PostgreSQL is not installed:"
            ' pip install "waybill-exports[postgresql]".'
        ) from None
    check_when_idle(engine)
    event.listen(engine, "handle_error", _make_operational)
    event.listen(engine, "connect", partial(_end_silent_transactions, idle_in_transaction))
    return engine


def _end_silent_transactions(after: timedelta, connection: Any, _record: Any) -> None:
    # Not as a start-up option, which PgBouncer refuses; and outside a transaction, whose end
    # could take it back.
    connection.autocommit = True
    milliseconds = after // timedelta(milliseconds=1)
    connection.execute(f"SET idle_in_transaction_session_timeout = {milliseconds}")
    connection.autocommit = False


def _check_options(engine: Engine) -> None:
    """Refuse at the start what would be an exception of the driver at each connection."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    _, options = engine.dialect.create_connect_args(engine.url)
    # SQLAlchemy's own, for psycopg and not for libpq.
    options.pop("context", None)
    try:
        make_conninfo("", **options)
    except (ProgrammingError, TypeError, ValueError):
        raise BadSettings(
            "WAYBILL_DATABASE_URL has an option that PostgreSQL's client does not know."
            " In a password, ? is written %3F."
        ) from None


def _make_operational(context: sa.engine.ExceptionContext) -> OperationalError | None:
    """Errors that lie in the state of the database, and not in our statements, as one class.

    What catches that class waits and tries again; the API answers 503.
    """
    error, state = context.sqlalchemy_exception, getattr(context.original_exception, "sqlstate", "")
    if error is None or state not in _STATES_OF_THE_DATABASE:
        return None
    # A primary that became a standby stays one: the next connection may find the new primary.
    context.is_disconnect = context.is_disconnect or state in _ENDS_THE_CONNECTION
    return OperationalError(
        context.statement,
        context.parameters,
        context.original_exception,
        hide_parameters=True,
        connection_invalidated=context.is_disconnect,
    )


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write; committed on a clean exit."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads; never waits for a writer."""
    with engine.connect() as connection:
        connection = connection.execution_options(**{_READ_ONLY: True})
        with connection.begin():
            yield connection


@contextmanager
def read_statement(engine: Engine) -> Iterator[Connection]:
    """A connection for one statement that only reads.

    PostgreSQL gets no transaction around it: two round trips less.
    """
    if engine.dialect.name != "postgresql":
        with read_transaction(engine) as connection:
            yield connection
        return
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def database_now(connection: Connection) -> datetime:
    """The database's clock, by which leases are judged: workers' clocks do not matter.

    SQLite has no server and its users share one host, so there it is the host's clock.
    """
    if connection.dialect.name == "postgresql":
        now = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))
        return connection.execute(sa.select(now)).scalar_one()
    return datetime.now(UTC)


def clock(dialect: str, kind: sa.types.TypeEngine[datetime]) -> sa.ColumnElement[datetime]:
    """`database_now` inside a statement, as a value of `kind`; on SQLite the parameter `now`.

    For statements that are built once, and find out the time without a round trip of their own.
    """
    if dialect == "postgresql":
        return sa.func.clock_timestamp(type_=kind)
    return sa.bindparam("now", type_=kind)


def advisory_lock(connection: Connection, *name: str, shared: bool = False) -> datetime:
    """Take a lock on `name` that ends with this transaction, for what no row stands for yet.

    Returns `database_now`, once the lock is held.

    An exclusive lock waits for all other holders of the name; shared ones wait only for an
    exclusive one. On SQLite nothing is done: it has one writer at a time.
    """
    if connection.dialect.name == "sqlite":
        return database_now(connection)
    # Locks belong to the database. Installations in ``public`` use the numbers of earlier versions.
    if (schema := schema_of(connection)) not in (None, "public"):
        name = (schema, *name)
    digest = hashlib.sha256("\0".join(name).encode("utf-8", "surrogatepass")).digest()
    # Two names with the same number would only wait for each other without need.
    number = sa.literal(int.from_bytes(digest[:8], "big", signed=True), sa.BigInteger())
    lock = sa.func.pg_advisory_xact_lock_shared if shared else sa.func.pg_advisory_xact_lock
    # A function in FROM is called before the columns are computed.
    now = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))
    return connection.execute(sa.select(now).select_from(lock(number))).scalar_one()


def _make_private(_dialect: Any, _record: Any, args: list[Any], _options: Any) -> None:
    """Make a new file readable for its owner only: it will hold signed links.

    One that is there keeps the rights that somebody gave it.
    """
    path = Path(str(args[0])) if args else Path(":memory:")
    if path.name == ":memory:" or str(path).startswith("file:"):
        return
    # What is wrong with the path, SQLite says itself. Closing a file ends the locks that other
    # connections of this process have on it, so none may open it between the two calls.
    with _MAKING, suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not open transactions by itself; `_begin_sqlite` does.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
