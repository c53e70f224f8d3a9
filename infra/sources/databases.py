"""The databases rows can be read from: one entry each in `DATABASES`. Nothing connects here.

A database without an entry is read row by row through SQLAlchemy, if its driver is installed.
Entries import what they need when they are used, so that a process loads only its drivers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.database_urls import standard_url

_Opened = TypeVar("_Opened")

if TYPE_CHECKING:
    from waybill.exporter.ports import Source
    from waybill.infra.sources.rows.session import RowSession


def _any_session(url: sa.URL) -> RowSession:
    from waybill.infra.sources.rows.session import RowSession

    return RowSession(url)


def _postgres_session(url: sa.URL) -> RowSession:
    from waybill.infra.sources.postgres.source import connection_string
    from waybill.infra.sources.rows.session import RowSession

    connection_string(url)
    # SQLAlchemy reads what the server says of itself as text, which psycopg makes of it in no
    # other encoding: not in that of an SQL_ASCII database, nor in the environment's.
    # Outside a transaction no limit on idle ones can end the session between two statements.
    # A pooler in transaction mode gives the next statement a session that prepared nothing.
    options = {"client_encoding": "UTF8", "prepare_threshold": None}
    return RowSession(url, isolation_level="AUTOCOMMIT", connect_args=options)


def _mysql_session(url: sa.URL) -> RowSession:
    from waybill.infra.sources.mysql.session import MysqlSession

    return MysqlSession(url)


def _sqlite_session(url: sa.URL) -> RowSession:
    from waybill.infra.sources.sqlite.session import SqliteSession

    return SqliteSession(url)


def _postgres_source(url: sa.URL) -> Source:
    from waybill.infra.sources.postgres.source import PostgresSource

    return PostgresSource(url)


def _duckdb_session(url: sa.URL) -> RowSession:
    from waybill.infra.sources.duckdb.session import DuckdbTables

    return DuckdbTables(url)


def _duckdb_writing(url: sa.URL) -> sa.Engine:
    from waybill.infra.sources.duckdb.session import DuckdbWriting

    return DuckdbWriting(url).writing_engine()


def _mysql_writing(url: sa.URL) -> sa.Engine:
    return _mysql_session(url).writing_engine()


def _duckdb_source(url: sa.URL) -> Source:
    from waybill.infra.sources.arrow_stream.source import ArrowSource
    from waybill.infra.sources.duckdb.session import DuckdbSession

    return ArrowSource(DuckdbSession(url))


def _clickhouse_source(url: sa.URL) -> Source:
    from waybill.infra.sources.arrow_stream.source import ArrowSource
    from waybill.infra.sources.clickhouse.session import ClickhouseSession

    return ArrowSource(ClickhouseSession(url))


def _flight_sql_source(url: sa.URL) -> Source:
    from waybill.infra.sources.adbc.flight_sql import flight_sql_session
    from waybill.infra.sources.arrow_stream.source import ArrowSource

    return ArrowSource(flight_sql_session(url))


def _snowflake_source(url: sa.URL) -> Source:
    from waybill.infra.sources.adbc.warehouses import snowflake_session
    from waybill.infra.sources.arrow_stream.source import ArrowSource

    return ArrowSource(snowflake_session(url))


def _bigquery_source(url: sa.URL) -> Source:
    from waybill.infra.sources.adbc.warehouses import bigquery_session
    from waybill.infra.sources.arrow_stream.source import ArrowSource

    return ArrowSource(bigquery_session(url))


@dataclass(frozen=True, slots=True)
class Database:
    """How one kind of database is read."""

    #: Talks to it through SQLAlchemy: for reflection, and to read its rows one by one.
    session: Callable[[sa.URL], RowSession] = _any_session
    #: Reads it through a driver that returns Arrow, where there is a faithful one.
    arrow_source: Callable[[sa.URL], Source] | None = None
    #: The extra of the distribution that brings its drivers; None: Python brings them.
    extra: str | None = None
    #: The modules that it brings.
    modules: tuple[str, ...] = ()
    #: Whether `session` finds tables, their columns and keys; if not, a table is named as it is.
    reflects: bool = True
    #: Writes to it, for the sample shop; None: SQLAlchemy's own engine does.
    writing: Callable[[sa.URL], sa.Engine] | None = None


_POSTGRES = Database(
    _postgres_session,
    arrow_source=_postgres_source,
    extra="postgresql",
    modules=("adbc_driver_postgresql", "psycopg"),
)
_MYSQL = Database(_mysql_session, extra="mysql", modules=("pymysql",), writing=_mysql_writing)
_DUCKDB = Database(
    _duckdb_session,
    arrow_source=_duckdb_source,
    extra="duckdb",
    modules=("duckdb",),
    writing=_duckdb_writing,
)

#: By SQLAlchemy's name of the database, the part of a URL before ``+`` or ``:``.
DATABASES: Mapping[str, Database] = {
    "bigquery": Database(
        arrow_source=_bigquery_source,
        extra="bigquery",
        modules=("adbc_driver_bigquery",),
        reflects=False,
    ),
    "clickhouse": Database(
        arrow_source=_clickhouse_source,
        extra="clickhouse",
        modules=("clickhouse_connect",),
        reflects=False,
    ),
    "duckdb": _DUCKDB,
    "flightsql": Database(
        arrow_source=_flight_sql_source,
        extra="flightsql",
        modules=("adbc_driver_flightsql",),
        reflects=False,
    ),
    "mariadb": _MYSQL,
    "mysql": _MYSQL,
    "postgresql": _POSTGRES,
    "snowflake": Database(
        arrow_source=_snowflake_source,
        extra="snowflake",
        modules=("adbc_driver_snowflake",),
        reflects=False,
    ),
    "sqlite": Database(_sqlite_session),
}
_ANY = Database()


def parse_database_url(url: str) -> sa.URL:
    """`url` in the spelling of the drivers used here, from any that `standard_url` knows.

    Raises:
        InvalidRequest: not a database URL. The text does not repeat it: it may hold a password.
    """
    try:
        parsed = sa.make_url(standard_url(url))
    except (sa.exc.ArgumentError, ValueError):
        raise InvalidRequest("The source is not a database URL.") from None
    if parsed.get_backend_name() == "postgresql":
        # Nothing is prepared here, and only psycopg knows this option.
        parsed = parsed.difference_update_query(["prepare_threshold"])
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def finds_tables(url: sa.URL) -> bool:
    """Whether `row_session` finds the tables of this kind of database."""
    return _database(url).reflects


def row_session(url: sa.URL) -> RowSession:
    """A session that reads the database at `url` row by row, reflection included.

    Raises:
        InvalidRequest: no driver for this kind of database is installed.
    """
    return _with_driver(url, _database(url).session)


def writing_engine(url: str) -> sa.Engine | None:
    """An engine that may write where SQLAlchemy's own would not do, for the sample shop alone.

    None for any other kind of database. Connects lazily.

    Raises:
        InvalidRequest: not a database URL, an option that is not known, or no driver installed.
    """
    parsed = parse_database_url(url)
    opened = _database(parsed).writing
    return None if opened is None else _with_driver(parsed, opened)


def source(url: sa.URL) -> Source:
    """The source for the database at `url`.

    Raises:
        InvalidRequest: an option the driver does not know, or no driver is installed.
    """
    database = _database(url)
    if database.arrow_source is not None:
        if not all(map(_is_installed, database.modules)):
            raise InvalidRequest(missing_driver(url.get_backend_name()))
        return _with_driver(url, database.arrow_source)
    from waybill.infra.sources.rows.source import RowsSource

    return RowsSource(row_session(url))


def missing_driver(backend: str) -> str:
    """The sentence for a database whose driver is not installed, with the remedy if we know one."""
    if backend not in DATABASES:
        known = ", ".join(f"{name}://" for name in DATABASES)
        return (
            f"No driver for {backend} databases is installed. Waybill reads {known} and what"
            " SQLAlchemy has a driver for."
        )
    return f"No driver for {backend} databases is installed: {_remedy(DATABASES[backend].extra)}."


def installed_sources() -> Iterator[str]:
    """Each kind of database: that it can be read here, or what to install."""
    for name, database in DATABASES.items():
        is_here = all(map(_is_installed, database.modules))
        yield name if is_here else f"{name} needs {_remedy(database.extra)}"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        # The second where a module of that name is there and has no file.
        return False


def _remedy(extra: str | None) -> str:
    return f'pip install "waybill-exports[{extra}]"'


def _with_driver(url: sa.URL, opened: Callable[[sa.URL], _Opened]) -> _Opened:
    """What `opened` makes of `url`, or `InvalidRequest` when it or its driver cannot be used."""
    try:
        return opened(url)
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError):
        raise InvalidRequest(missing_driver(url.get_backend_name())) from None
    except sa.exc.ArgumentError:
        raise InvalidRequest(
            f"The source is not a URL that {url.get_backend_name()} understands."
        ) from None


def _database(url: sa.URL) -> Database:
    return DATABASES.get(url.get_backend_name(), _ANY)
