"""The rows of `tests.support.benchmark_rows` as tables, made by the servers themselves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import sqlalchemy as sa

from tests.support.benchmark_rows import CITIES, FIRST_SECOND, SCHEMA, make_batches
from waybill.infra.sources import open_source

_SQLITE_COLUMNS = {
    "id": "INTEGER PRIMARY KEY",
    "customer_id": "INTEGER",
    "amount": "REAL",
    "rate": "REAL",
    "paid": "BOOLEAN",
    "created_at": "TIMESTAMP",
    "shipped_at": "TIMESTAMP",
    "customer": "VARCHAR(40)",
    "city": "VARCHAR(40)",
    "note": "TEXT",
}

#: So many rows are compared with those made in Python.
_COMPARED = 1_000


def fill_table(url: str, rows: int, *, index: bool = False) -> str:
    """Make the table of `rows` rows, ready to be read at full speed, and return its name.

    With `index` its key is the primary key.
    """
    name = f"rows_{rows}"
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(
            f"CREATE UNLOGGED TABLE {name} AS {_select()} FROM generate_series(0, {rows - 1}) AS n"
        )
        if index:
            connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (id)")
        connection.execute(f"VACUUM (ANALYZE, FREEZE) {name}")
    _compare(url, name, min(rows, _COMPARED))
    return name


def fill_sqlite(path: Path, rows: int) -> str:
    """The same rows in a SQLite file, as SQLAlchemy's types are stored there."""
    name = f"rows_{rows}"
    columns = ", ".join(f"{column} {kind}" for column, kind in _SQLITE_COLUMNS.items())
    places = ", ".join("?" * len(_SQLITE_COLUMNS))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE {name} ({columns})")
        for batch in make_batches(rows):
            values = ([_stored(value) for value in column.to_pylist()] for column in batch.columns)
            database.executemany(f"INSERT INTO {name} VALUES ({places})", zip(*values, strict=True))  # noqa: S608
    return name


def fill_mysql(url: str, rows: int) -> str:
    """The same rows in MariaDB."""
    name = f"rows_{rows}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET time_zone = '+00:00'")
        connection.exec_driver_sql(
            f"CREATE TABLE {name} (id bigint PRIMARY KEY, customer_id int, amount double,"
            " rate double, paid tinyint(1), created_at timestamp(6) NULL, shipped_at datetime,"
            " customer varchar(40), city varchar(40), note varchar(80))"
        )
        connection.exec_driver_sql(f"INSERT INTO {name} {_select_mysql(rows)}".replace("%", "%%"))
    engine.dispose()
    return name


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds")
    return value


def all_rows(table: str) -> sa.Select[Any]:
    """The query that every side runs in PostgreSQL."""
    return sa.select(sa.literal_column("*")).select_from(sa.table(table))


def named_rows(table: str) -> sa.Select[Any]:
    """The same, in the words that a query of SQLAlchemy's has for every kind of database."""
    return sa.select(*map(sa.column, SCHEMA.names)).select_from(sa.table(table))


def libpq_url(url: str) -> str:
    """`url` for psycopg."""
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _compare(url: str, name: str, rows: int) -> None:
    query = all_rows(name).order_by(sa.column("id")).limit(rows)
    with open_source(url).open(query) as stream:
        stored = pa.Table.from_batches(list(stream))
    made = pa.Table.from_batches(make_batches(rows))
    if stored.to_pylist() != made.to_pylist():
        raise RuntimeError("the table does not hold the rows that the other benchmarks use")


def _select() -> str:
    cities = ", ".join(f"'{city}'" for city in CITIES)
    second = f"({FIRST_SECOND} + n) * interval '1 second'"
    return f"""
        SELECT
            n::bigint AS id,
            ({_mixed(1)} % 100000)::integer AS customer_id,
            ({_mixed(2)} % 10000000)::float8 / 100 AS amount,
            ({_mixed(3)} % 1000003)::float8 / 1000003 AS rate,
            {_mixed(4)} % 2 = 0 AS paid,
            timestamptz 'epoch' + {second}
                + ({_mixed(5)} % 1000000) * interval '1 microsecond' AS created_at,
            CASE WHEN {_mixed(6)} % 5 <> 0 THEN timestamp 'epoch' + {second} END AS shipped_at,
            'customer ' || {_mixed(7)} % 100000 AS customer,
            (ARRAY[{cities}])[{_mixed(8)} % {len(CITIES)} + 1] AS city,
            CASE WHEN {_mixed(9)} % 5 <> 0
                THEN '备注 ' || {_mixed(10)} % 1000 || ' 第' || n % 77 || '号' END AS note
    """


def _select_mysql(rows: int) -> str:
    cities = ", ".join(f"'{city}'" for city in CITIES)
    second = f"timestamp('1970-01-01') + INTERVAL ({FIRST_SECOND} + n) SECOND"
    return f"""
        SELECT
            n,
            {_mixed(1, "n")} % 100000,
            CAST({_mixed(2, "n")} % 10000000 AS double) / 100e0,
            CAST({_mixed(3, "n")} % 1000003 AS double) / 1000003e0,
            {_mixed(4, "n")} % 2 = 0,
            {second} + INTERVAL ({_mixed(5, "n")} % 1000000) MICROSECOND,
            CASE WHEN {_mixed(6, "n")} % 5 <> 0 THEN {second} END,
            concat('customer ', {_mixed(7, "n")} % 100000),
            elt({_mixed(8, "n")} % {len(CITIES)} + 1, {cities}),
            CASE WHEN {_mixed(9, "n")} % 5 <> 0
                THEN concat('备注 ', {_mixed(10, "n")} % 1000, ' 第', n % 77, '号') END
        FROM (SELECT CAST(seq AS signed) AS n FROM seq_0_to_{rows - 1}) AS numbers
    """  # noqa: S608


def _mixed(salt: int, n: str = "n::bigint") -> str:
    """`tests.support.benchmark_rows.mixed` in SQL."""
    mixed = f"(({n} + {salt} * 1000003) * 2654435761 % 4294967291)"
    return f"({mixed} * ({mixed} % 65521 + 1) % 4294967291)"
