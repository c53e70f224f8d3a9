"""The rows of `tests.support.benchmark_rows` as tables in PostgreSQL, made by the server itself."""

from __future__ import annotations

from typing import Any

import psycopg
import pyarrow as pa
import sqlalchemy as sa

from tests.support.benchmark_rows import CITIES, FIRST_SECOND, make_batches
from waybill.infra.sources import open_source

#: So many rows are compared with those made in Python.
_COMPARED = 1_000


def fill_table(url: str, rows: int) -> str:
    """Make the table of `rows` rows, ready to be read at full speed, and return its name."""
    name = f"rows_{rows}"
    with psycopg.connect(_libpq(url), autocommit=True) as connection:
        connection.execute(
            f"CREATE UNLOGGED TABLE {name} AS {_select()} FROM generate_series(0, {rows - 1}) AS n"
        )
        connection.execute(f"VACUUM (ANALYZE, FREEZE) {name}")
    _compare(url, name, min(rows, _COMPARED))
    return name


def all_rows(table: str) -> sa.Select[Any]:
    """The query that every side runs."""
    return sa.select(sa.literal_column("*")).select_from(sa.table(table))


def _libpq(url: str) -> str:
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


def _mixed(salt: int) -> str:
    """`tests.support.benchmark_rows.mixed` in SQL."""
    mixed = f"((n::bigint + {salt} * 1000003) * 2654435761 % 4294967291)"
    return f"({mixed} * ({mixed} % 65521 + 1) % 4294967291)"
