"""What people declare SQLite columns as, and what the ``sqlite3`` program prints."""

from __future__ import annotations

import csv
import io
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence

import sqlalchemy as sa

from tests.judges.differential.declared import (
    Columns,
    Declared,
    Kind,
    Make,
    clock,
    date,
    double,
    moment,
    octets,
    one_of,
    text,
    whole,
)

Rows = list[list[str | None]]

_NULL = "\N{SYMBOL FOR NULL}"
#: The program prints 15 digits of its own accord.
_DOUBLE = "CASE typeof({0}) WHEN 'real' THEN printf('%!.17g', {0}) ELSE {0} END"


#: Bytes that are no text, as `fill` has them.
_IN_HEX = "CASE hex({0}) WHEN 'FF00' THEN '\\xff00' ELSE {0} END"


def _cents(dice: random.Random) -> float:
    return dice.randrange(-(10**9), 10**9) / 100


def _iso(dice: random.Random) -> str:
    return moment(dice).replace(" ", dice.choice(" T"))


def _or(odd: object, make: Make) -> Make:
    """Mostly `make`, and now and then `odd`."""
    return lambda dice: odd if dice.random() < 0.2 else make(dice)


COLUMNS: Columns = {
    "INTEGER": Declared(Kind.INTEGER, whole(64)),
    "INT UNSIGNED": Declared(Kind.INTEGER, whole(32)),
    "TINYINT(1)": Declared(Kind.INTEGER, one_of(0, 1, 2)),
    "BIGINT": Declared(Kind.INTEGER, whole(64)),
    "DECIMAL(12, 2)": Declared(Kind.DECIMAL, _cents, "printf('%.2f', {})"),
    "NUMERIC": Declared(Kind.FLOAT, double, _DOUBLE),
    "REAL": Declared(Kind.FLOAT, double, _DOUBLE),
    "DOUBLE PRECISION": Declared(Kind.FLOAT, double, _DOUBLE),
    "FLOAT": Declared(Kind.FLOAT, double, _DOUBLE),
    "BOOLEAN": Declared(Kind.BOOLEAN, one_of(0, 1)),
    "DATE": Declared(Kind.DATE, date),
    "TIME": Declared(Kind.TIME, clock),
    "DATETIME": Declared(Kind.TIMESTAMP, _iso),
    "TIMESTAMP": Declared(Kind.TIMESTAMP, one_of("2024-01-02 10:00", "2024-01-02 10:00:00.25")),
    "TIMESTAMP WITH TIME ZONE": Declared(Kind.TEXT, one_of("2024-01-02 10:00:00+02:00", "now")),
    "TEXT": Declared(Kind.TEXT, text),
    "VARCHAR(20)": Declared(Kind.TEXT, text),
    "UUID": Declared(Kind.TEXT, one_of("123e4567-e89b-12d3-a456-426614174000")),
    "STRING": Declared(Kind.TEXT, one_of("Ann", "é 🙂")),
    "JSON": Declared(Kind.JSON, one_of('{"a":  [1, 2]}', '"x"', "[1.50]")),
    "BLOB": Declared(Kind.BYTES, octets, "hex({})"),
    "": Declared(Kind.TEXT, text),
    "ANY": Declared(Kind.INTEGER, whole(40)),
    # And each with values that are not of the type it has elsewhere.
    "INTEGER DEFAULT 1": Declared(Kind.INTEGER, _or("n/a", whole(40))),
    "DECIMAL(9, 2) DEFAULT 1": Declared(Kind.DECIMAL, one_of("n/a", 0.125, 12.5), _DOUBLE),
    "REAL DEFAULT 1": Declared(Kind.FLOAT, _or("n/a", double), _DOUBLE),
    "BOOLEAN DEFAULT 1": Declared(Kind.BOOLEAN, one_of(0, 1, 2)),
    "DATE DEFAULT ''": Declared(Kind.DATE, _or("0000-00-00", date)),
    "TIME DEFAULT ''": Declared(Kind.TIME, _or("noon", clock)),
    "TIMESTAMP DEFAULT ''": Declared(Kind.TIMESTAMP, _or("2024-01-02T10:00Z", moment)),
    "DATETIME DEFAULT ''": Declared(Kind.TIMESTAMP, _or(1722000000000, moment)),
    "JSON DEFAULT ''": Declared(Kind.JSON, one_of("{", "[1]")),
    "TEXT DEFAULT ''": Declared(
        Kind.TEXT, _or(b"\xff\x00", _or(b"abc", text)), _IN_HEX, "typeof({}) = 'blob'"
    ),
    "ANY DEFAULT 1": Declared(
        Kind.TEXT, one_of(1, "n/a", 2.5), "{}", "typeof({}) NOT IN ('text', 'null')"
    ),
    "ANY DEFAULT 2": Declared(Kind.TEXT, one_of("a", b"\xff\x00"), _IN_HEX, "typeof({}) = 'blob'"),
}


def names() -> Sequence[str]:
    """Of the columns, in their order."""
    return [f"c{number}" for number in range(len(COLUMNS))]


def fill(url: str, rows: int) -> None:
    """Make the table ``judged`` and its rows."""
    dice = random.Random(20240701)  # noqa: S311
    columns = ", ".join(f"{name} {sql}" for name, sql in zip(names(), COLUMNS, strict=True))
    with sqlite3.connect(str(sa.make_url(url).database)) as connection:
        connection.execute(f"CREATE TABLE judged (id INTEGER PRIMARY KEY, {columns})")
        marks = ", ".join("?" * (1 + len(COLUMNS)))
        for row in range(rows):
            values = [
                None if dice.random() < 0.1 else declared.make(dice)
                for declared in COLUMNS.values()
            ]
            connection.execute(f"INSERT INTO judged VALUES ({marks})", [row, *values])  # noqa: S608
    connection.close()


def printed(url: str) -> Rows:
    """All rows of ``judged`` in their order, as the program prints them."""
    # Its functions make empty texts of NULL.
    asked = [
        f"CASE WHEN {name} IS NOT NULL THEN {declared.asked.format(name)} END"
        for name, declared in zip(names(), COLUMNS.values(), strict=True)
    ]
    return _client_rows(url, f"SELECT {', '.join(asked)} FROM judged ORDER BY id")  # noqa: S608


def made_text(url: str) -> dict[str, int]:
    """By column, how many values are other than text among texts, as the program counts them."""
    conditions = {
        name: f"sum({declared.made_text.format(name)})"
        for name, declared in zip(names(), COLUMNS.values(), strict=True)
        if declared.made_text
    }
    [counts] = _client_rows(url, f"SELECT {', '.join(conditions.values())} FROM judged")  # noqa: S608
    return dict(zip(conditions, map(int, map(str, counts)), strict=True))


def _client_rows(url: str, sql: str) -> Rows:
    program = shutil.which("sqlite3")
    assert program is not None
    done = subprocess.run(
        [program, "-csv", "-noheader", "-nullvalue", _NULL, str(sa.make_url(url).database), sql],
        capture_output=True,
        check=True,
    )
    rows = csv.reader(io.StringIO(done.stdout.decode(), newline=""))
    return [[None if cell == _NULL else cell for cell in row] for row in rows]
