"""Every type that MariaDB lets a column have, and what its own client prints."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Sequence

import sqlalchemy as sa

from tests.judges.differential.declared import (
    Columns,
    Declared,
    Kind,
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


def _hours(dice: random.Random) -> str:
    sign = dice.choice(("", "-"))
    return f"{sign}{dice.randint(0, 838)}:{dice.randint(0, 59):02}:{dice.randint(0, 59):02}.25"


_SHAPES = ("POINT(7.19 43.72)", "POINT(-0.0000001 1e20)")

COLUMNS: Columns = {
    "tinyint(1)": Declared(Kind.INTEGER, one_of(0, 1)),
    "boolean": Declared(Kind.INTEGER, one_of(0, 1)),
    "tinyint": Declared(Kind.INTEGER, whole(8)),
    "tinyint unsigned": Declared(Kind.INTEGER, whole(8, signed=False)),
    "smallint": Declared(Kind.INTEGER, whole(16)),
    "mediumint unsigned": Declared(Kind.INTEGER, whole(24, signed=False)),
    "int": Declared(Kind.INTEGER, whole(32)),
    "int(7) zerofill": Declared(Kind.INTEGER, whole(20, signed=False), "{} + 0"),
    "bigint": Declared(Kind.INTEGER, whole(64)),
    "bigint unsigned": Declared(Kind.INTEGER, whole(64, signed=False)),
    "bit(1)": Declared(Kind.INTEGER, whole(1, signed=False), "{} + 0"),
    "bit(5)": Declared(Kind.INTEGER, whole(5, signed=False), "{} + 0"),
    "bit(63)": Declared(Kind.INTEGER, whole(63, signed=False), "{} + 0"),
    "bit(64)": Declared(Kind.INTEGER, whole(64, signed=False), "{} + 0"),
    "decimal(1,0)": Declared(Kind.DECIMAL, digits(1, 0)),
    "decimal(12,2)": Declared(Kind.DECIMAL, digits(10, 2)),
    "decimal(38,38)": Declared(Kind.DECIMAL, digits(0, 38)),
    "decimal(65,0)": Declared(Kind.DECIMAL, digits(65, 0)),
    "decimal(65,30)": Declared(Kind.DECIMAL, digits(35, 30)),
    "decimal(50,3)": Declared(Kind.DECIMAL, digits(20, 3)),
    "float": Declared(Kind.FLOAT, lambda dice: dice.uniform(-1e6, 1e6)),
    "double": Declared(Kind.FLOAT, double),
    "char(7)": Declared(Kind.TEXT, short_text(7)),
    "varchar(60)": Declared(Kind.TEXT, text),
    "varchar(60) collate utf8mb4_bin": Declared(Kind.TEXT, text),
    "varchar(9) charset latin1": Declared(Kind.TEXT, one_of("é€", "ÿ", "x")),
    "text charset utf16": Declared(Kind.TEXT, text),
    "tinytext": Declared(Kind.TEXT, text),
    "longtext": Declared(Kind.TEXT, text),
    "binary(4)": Declared(Kind.BYTES, lambda dice: dice.randbytes(4), "hex({})"),
    "varbinary(9)": Declared(Kind.BYTES, lambda dice: octets(dice)[:9], "hex({})"),
    "blob": Declared(Kind.BYTES, octets, "hex({})"),
    "enum('a','b é')": Declared(Kind.TEXT, one_of("a", "b é")),
    "set('x','y')": Declared(Kind.TEXT, one_of("", "x", "x,y")),
    "json": Declared(Kind.JSON, one_of('{"a":  [1, 2]}', "null", '"é 🙂"', "1.50")),
    "uuid": Declared(
        Kind.TEXT, lambda dice: f"{dice.randrange(16**8):08x}-e89b-12d3-a456-426614174000"
    ),
    "inet6": Declared(Kind.TEXT, one_of("::1", "2001:db8::ff")),
    "inet4": Declared(Kind.TEXT, one_of("10.0.0.1", "255.255.255.255")),
    "date": Declared(Kind.DATE, date),
    "datetime": Declared(Kind.TIMESTAMP, moment),
    "datetime(6)": Declared(Kind.TIMESTAMP, moment),
    "timestamp(3) null": Declared(Kind.INSTANT, instant),
    "time": Declared(Kind.TIME, clock),
    "time(6)": Declared(Kind.TIME, clock),
    "year": Declared(Kind.INTEGER, one_of(1901, 2024, 2155)),
    "point": Declared(Kind.TEXT, one_of(*_SHAPES), "ST_AsText({})"),
    "geometry": Declared(
        Kind.TEXT, one_of("POLYGON((0 0,1 0,1 1,0 0))", "LINESTRING(0 0,1 1)"), "ST_AsText({})"
    ),
    # And each with values that are outside the type it has elsewhere.
    "date default null": Declared(Kind.DATE, one_of("0000-00-00", "2024-02-00", "2024-01-15")),
    "datetime(3) default null": Declared(
        Kind.TIMESTAMP, one_of("0000-00-00", "2024-02-00 01:00:00", "2024-02-01 10:00:00.5")
    ),
    "timestamp null default null": Declared(
        Kind.INSTANT, one_of("0000-00-00", "2024-07-01 10:00:00")
    ),
    "time(2) default null": Declared(Kind.INTERVAL, _hours),
    "decimal(65,2)": Declared(Kind.DECIMAL, digits(63, 2)),
}

_IS_SHAPE = {"point", "geometry"}


def fill(url: str, rows: int) -> None:
    """Make the table ``judged`` and its rows."""
    dice = random.Random(20240701)  # noqa: S311
    table = sa.table("judged", *map(sa.column, ["id", *names()]))
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("SET time_zone = '+00:00', sql_mode = ''")
        columns = ", ".join(f"{name} {sql}" for name, sql in zip(names(), COLUMNS, strict=True))
        connection.exec_driver_sql(f"CREATE TABLE judged (id int PRIMARY KEY, {columns})")
        for row in range(rows):
            values: dict[str, object] = {"id": row}
            for name, (sql, declared) in zip(names(), COLUMNS.items(), strict=True):
                value = None if dice.random() < 0.1 else declared.make(dice)
                is_shape = sql in _IS_SHAPE and value is not None
                values[name] = sa.func.ST_GeomFromText(value) if is_shape else value
            connection.execute(table.insert().values(values))


def names() -> Sequence[str]:
    """Of the columns, in their order."""
    return [f"c{number}" for number in range(len(COLUMNS))]


def client_rows(url: str, sql: str) -> Rows:
    """What ``mariadb --batch`` prints, each cell unescaped, None for a NULL."""
    place = sa.make_url(url)
    program = shutil.which("mariadb")
    assert program is not None
    done = subprocess.run(
        [
            *(program, "--no-defaults", "--batch", "--skip-column-names"),
            *("--default-character-set=utf8mb4", "--init-command=SET time_zone = '+00:00'"),
            *(f"--host={place.host}", f"--port={place.port}", f"--user={place.username}"),
            *(f"--password={place.password}", str(place.database), f"--execute={sql}"),
        ],
        capture_output=True,
        check=True,
    )
    return [
        [None if cell == "NULL" else _unescaped(cell) for cell in line.split("\t")]
        for line in done.stdout.decode().removesuffix("\n").split("\n")
    ]


def made_text(_: str) -> dict[str, int]:
    """A column has values of its type only."""
    return {}


def printed(url: str) -> Rows:
    """All rows of ``judged`` in their order, as the client prints them."""
    # An equals sign in front tells a text that reads NULL from none.
    asked = [
        f"concat('=', {declared.asked.format(name)})"
        for name, declared in zip(names(), COLUMNS.values(), strict=True)
    ]
    sql = f"SELECT {', '.join(asked)} FROM judged ORDER BY id"  # noqa: S608
    rows = client_rows(url, sql)
    return [[cell and cell.removeprefix("=") for cell in row] for row in rows]


def _unescaped(cell: str) -> str:
    meanings = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
    return re.sub(r"\\(.)", lambda found: meanings[found[1]], cell)
