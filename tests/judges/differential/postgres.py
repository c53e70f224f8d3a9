"""Every type that PostgreSQL lets a column have, and what psql prints."""

from __future__ import annotations

import csv
import io
import os
import random
import shutil
import subprocess
from collections.abc import Sequence

import psycopg
import sqlalchemy as sa
from psycopg import sql

from tests.judges.differential.declared import (
    TEXTS,
    Columns,
    Declared,
    Kind,
    Make,
    clock,
    date,
    digits,
    double,
    instant,
    moment,
    octets,
    one_of,
    short_text,
    text,
    whole,
)

Rows = list[list[str | None]]

_NULL = "\N{SYMBOL FOR NULL}"

_TYPES = (
    "CREATE TYPE mood AS ENUM ('calm', 'storm é')",
    "CREATE TYPE pair AS (n int, t text)",
    "CREATE DOMAIN positive AS int CHECK (value > 0)",
    "CREATE DOMAIN word AS varchar(20)",
)
_JSON = "to_json({})"


def _span(dice: random.Random) -> str:
    parts = [f"{dice.randint(-40, 40)} {unit}" for unit in ("years", "mons", "days")]
    parts = dice.sample(parts, dice.randint(0, 3))
    sign = dice.choice(("", "-"))
    hours = f"{sign}{dice.randint(0, 99)}:{dice.randint(0, 59):02}:{dice.randint(0, 59):02}.25"
    return " ".join([*parts, dice.choice((hours, "00:00:00"))])


def _hours(dice: random.Random) -> str:
    return f"{dice.randint(0, 200)}:{dice.randint(0, 59):02}:{dice.randint(0, 59):02}.5"


def _array(make: Make, *, nested: bool = False) -> Make:
    """An array of up to three values as PostgreSQL reads it, nulls among them."""

    def value(dice: random.Random) -> str:
        items = [None if dice.random() < 0.2 else make(dice) for _ in range(dice.randint(0, 3))]
        inner = ",".join("NULL" if item is None else _quoted(str(item)) for item in items)
        return f"{{{{{inner}}},{{{inner}}}}}" if nested and items else f"{{{inner}}}"

    return value


def _quoted(item: str) -> str:
    escaped = item.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _hex(dice: random.Random) -> str:
    return f"\\x{octets(dice).hex()}"


_DOCUMENTS = one_of(
    *('{"a":  [1, 2], "é": "🙂"}', "null", '"x\\n"', "1.50", "12345678901234567890.10", "[]")
)
_PLAIN = one_of("a", "b c", '"', "\\", "{}", "é", "NULL", "")

COLUMNS: Columns = {
    "bool": Declared(Kind.BOOLEAN, one_of(True, False)),
    "int2": Declared(Kind.INTEGER, whole(16)),
    "int4": Declared(Kind.INTEGER, whole(32)),
    "int8": Declared(Kind.INTEGER, whole(64)),
    "oid": Declared(Kind.INTEGER, whole(32, signed=False)),
    "float4": Declared(Kind.SINGLE, one_of(0.1, -1.5, 3.4e38, 1e-45, 16777216.0)),
    "float8": Declared(Kind.FLOAT, double),
    "numeric": Declared(Kind.DECIMAL, digits(9, 7)),
    "numeric(10,2)": Declared(Kind.DECIMAL, digits(8, 2)),
    "numeric(38,10)": Declared(Kind.DECIMAL, digits(28, 10)),
    "numeric(60,20)": Declared(Kind.DECIMAL, digits(40, 20)),
    "numeric(5,-2)": Declared(Kind.DECIMAL, digits(5, 0)),
    "numeric(3,6)": Declared(Kind.DECIMAL, one_of("0.000123", "-0.000999", "0")),
    "money": Declared(Kind.DECIMAL, digits(9, 2), "{}::numeric"),
    "text": Declared(Kind.TEXT, text),
    "varchar(20)": Declared(Kind.TEXT, short_text(20)),
    "char(5)": Declared(Kind.TEXT, short_text(5)),
    "name": Declared(Kind.TEXT, short_text(20)),
    '"char"': Declared(Kind.TEXT, one_of("a", "=", "-")),
    "bytea": Declared(Kind.BYTES, _hex, "encode({}, 'hex')"),
    "date": Declared(Kind.DATE, date),
    "timestamp": Declared(Kind.TIMESTAMP, moment),
    "timestamp(0)": Declared(Kind.TIMESTAMP, moment),
    "timestamptz": Declared(Kind.INSTANT, instant),
    "timestamptz(3)": Declared(Kind.INSTANT, moment),
    "time": Declared(Kind.TIME, clock),
    "time(2)": Declared(Kind.TIME, one_of("08:00:00", "23:59:58.25")),
    "timetz": Declared(Kind.TEXT, one_of("08:00:00+02", "23:59:59.999-12:30")),
    "interval": Declared(Kind.INTERVAL, _span),
    "interval hour to second": Declared(Kind.INTERVAL, _hours),
    "json": Declared(Kind.JSON, _DOCUMENTS),
    "jsonb": Declared(Kind.JSON, _DOCUMENTS),
    "uuid": Declared(
        Kind.TEXT, lambda dice: f"{dice.randrange(16**8):08x}-e89b-12d3-a456-426614174000"
    ),
    "inet": Declared(Kind.TEXT, one_of("10.0.0.1", "10.0.0.0/8", "::1")),
    "cidr": Declared(Kind.TEXT, one_of("10.0.0.0/8", "2001:db8::/32")),
    "macaddr": Declared(Kind.TEXT, one_of("08:00:2b:01:02:03")),
    "macaddr8": Declared(Kind.TEXT, one_of("08:00:2b:01:02:03:04:05")),
    "bit(5)": Declared(Kind.TEXT, one_of("10100", "00000")),
    "bit varying": Declared(Kind.TEXT, one_of("1", "")),
    "int4range": Declared(Kind.TEXT, one_of("[1,5)", "empty", "(,-3)")),
    "int8range": Declared(Kind.TEXT, one_of("[1,5)")),
    "numrange": Declared(Kind.TEXT, one_of("[1.50,2.5)")),
    "daterange": Declared(Kind.TEXT, one_of("[2024-01-01,2024-02-01)")),
    "tsrange": Declared(Kind.TEXT, one_of("[2024-01-01 10:00,2024-02-01)")),
    "tstzrange": Declared(Kind.TEXT, one_of("[2024-01-01 10:00+02,2024-02-01)")),
    "int4multirange": Declared(Kind.TEXT, one_of("{[1,3),[5,7)}")),
    "point": Declared(Kind.TEXT, one_of("(7.19,43.72)", "(-0.0000001,1e+20)")),
    "line": Declared(Kind.TEXT, one_of("{1,2,3}")),
    "lseg": Declared(Kind.TEXT, one_of("[(0,0),(1,1)]")),
    "box": Declared(Kind.TEXT, one_of("(1,1),(0,0)")),
    "path": Declared(Kind.TEXT, one_of("((0,0),(1,1))")),
    "polygon": Declared(Kind.TEXT, one_of("((0,0),(1,1),(1,0))")),
    "circle": Declared(Kind.TEXT, one_of("<(0,0),1.5>")),
    "xml": Declared(Kind.TEXT, one_of("<a>é</a>", "<b x='1'/>")),
    "tsvector": Declared(Kind.TEXT, one_of("'a':1 'cat':2")),
    "tsquery": Declared(Kind.TEXT, one_of("'fat' & 'rat'")),
    "pg_lsn": Declared(Kind.TEXT, one_of("16/B374D848")),
    "xid8": Declared(Kind.TEXT, one_of("7")),
    "regclass": Declared(Kind.TEXT, one_of("pg_class")),
    "jsonpath": Declared(Kind.TEXT, one_of("$.a[*]")),
    "mood": Declared(Kind.TEXT, one_of("calm", "storm é")),
    "positive": Declared(Kind.INTEGER, one_of(1, 2**31 - 1)),
    "word": Declared(Kind.TEXT, short_text(20)),
    "pair": Declared(Kind.JSON, one_of('(1,"x y")', "(,)"), _JSON),
    "bool[]": Declared(Kind.JSON, _array(one_of("t", "f")), _JSON),
    "int2[]": Declared(Kind.JSON, _array(whole(16)), _JSON),
    "int4[]": Declared(Kind.JSON, _array(whole(32)), _JSON),
    "int8[]": Declared(Kind.JSON, _array(whole(64)), _JSON),
    "float4[]": Declared(Kind.JSON, _array(one_of(0.5, -1.25)), _JSON),
    "float8[]": Declared(Kind.JSON, _array(double), _JSON),
    "numeric(10,2)[]": Declared(Kind.JSON, _array(digits(8, 2)), _JSON),
    "text[]": Declared(Kind.JSON, _array(_PLAIN), _JSON),
    "varchar(9)[]": Declared(Kind.JSON, _array(one_of(*(item[:9] for item in TEXTS))), _JSON),
    "date[]": Declared(Kind.JSON, _array(date), _JSON),
    "uuid[]": Declared(Kind.JSON, _array(one_of("123e4567-e89b-12d3-a456-426614174000")), _JSON),
    "jsonb[]": Declared(Kind.JSON, _array(one_of("null", "[1]")), _JSON),
    "interval[]": Declared(Kind.JSON, _array(one_of("36:15:00", "-1 mon")), _JSON),
    "mood[]": Declared(Kind.JSON, _array(one_of("calm")), _JSON),
    "bytea[]": Declared(Kind.JSON, _array(one_of("\\x00ff")), _JSON),
    "int4range[]": Declared(Kind.JSON, _array(one_of("[1,2)")), _JSON),
    "int4[][]": Declared(Kind.JSON, _array(whole(32), nested=True), _JSON),
    # And each with values that are outside the type it has elsewhere.
    "date default null": Declared(
        Kind.DATE, one_of("infinity", "0044-03-15 BC", "20000-01-01", "2024-01-15")
    ),
    "timestamp default null": Declared(
        Kind.TIMESTAMP, one_of("-infinity", "20000-01-01 01:00", "2024-02-01 10:00:00.5")
    ),
    "timestamptz default null": Declared(
        Kind.INSTANT, one_of("infinity", "0044-03-15 01:00Z BC", "2024-07-01 10:00:00.25Z")
    ),
    "time default null": Declared(Kind.TIME, one_of("24:00", "08:00")),
    "numeric default null": Declared(Kind.DECIMAL, one_of("NaN", "Infinity", "1.50")),
    "numeric(10,2) default null": Declared(Kind.DECIMAL, one_of("NaN", "1.50")),
    "float8 default null": Declared(Kind.FLOAT, one_of("NaN", "-Infinity", "1.5")),
    "text[] default null": Declared(Kind.JSON, one_of('{{"a"},{"b"}}', '[5:6]={"x",NULL}'), _JSON),
}


def names() -> Sequence[str]:
    """Of the columns, in their order."""
    return [f"c{number}" for number in range(len(COLUMNS))]


def fill(url: str, rows: int) -> None:
    """Make the table ``judged`` and its rows."""
    dice = random.Random(20240701)  # noqa: S311
    plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    columns = sql.SQL(", ").join(
        sql.SQL(f"{name} {declaration}") for name, declaration in zip(names(), COLUMNS, strict=True)
    )
    with psycopg.connect(plain, options="-c timezone=UTC") as connection:
        for statement in _TYPES:
            connection.execute(statement)
        connection.execute(sql.SQL("CREATE TABLE judged (id int PRIMARY KEY, {})").format(columns))
        for row in range(rows):
            values = [
                None if dice.random() < 0.1 else str(declared.make(dice))
                for declared in COLUMNS.values()
            ]
            literals = sql.SQL(", ").join(map(sql.Literal, values))
            connection.execute(sql.SQL("INSERT INTO judged VALUES ({}, {})").format(row, literals))


def made_text(_: str) -> dict[str, int]:
    """A column has values of its type only."""
    return {}


def printed(url: str) -> Rows:
    """All rows of ``judged`` in their order, as psql prints them."""
    place = sa.make_url(url)
    program = shutil.which("psql")
    assert program is not None
    asked = [
        declared.asked.format(name)
        for name, declared in zip(names(), COLUMNS.values(), strict=True)
    ]
    query = f"SELECT {', '.join(asked)} FROM judged ORDER BY id"  # noqa: S608
    done = subprocess.run(
        [
            *(program, "--no-psqlrc", "--csv", "--tuples-only", f"--pset=null={_NULL}"),
            *(f"--host={place.host}", f"--port={place.port}", f"--username={place.username}"),
            *(f"--dbname={place.database}", "--command"),
            query,
        ],
        capture_output=True,
        check=True,
        env=os.environ | {"PGPASSWORD": str(place.password), "PGTZ": "UTC"},
    )
    rows = csv.reader(io.StringIO(done.stdout.decode(), newline=""))
    return [[None if cell == _NULL else cell for cell in row] for row in rows]
