"""MariaDB's own client as the judge: generated rows of every declarable type, read by every way."""

from __future__ import annotations

import datetime as dt
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import table_query, text_query

ROWS = 60

_TEXTS = ("", "0", "客户 🙂 é", "a\tb\nc\\d", "'; --", '"', " x ", "=1+1", "\u200b", "e\u0301")


def _text(dice: random.Random) -> str:
    return "".join(dice.choices(_TEXTS, k=dice.randint(0, 3)))


def _date(dice: random.Random) -> str:
    return (dt.date(1000, 1, 1) + dt.timedelta(days=dice.randrange(3_287_000))).isoformat()


def _clock(dice: random.Random) -> str:
    seconds, microseconds = dice.randrange(86_400), dice.randrange(1_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{microseconds:06}"


def _hours(dice: random.Random) -> str:
    sign = dice.choice(("", "-"))
    return f"{sign}{dice.randint(0, 838)}:{dice.randint(0, 59):02}:{dice.randint(0, 59):02}.25"


def _digits(whole: int, scale: int) -> Callable[[random.Random], str]:
    def value(dice: random.Random) -> str:
        bound = 10 ** dice.randint(0, whole + scale)
        return f"{Decimal(dice.randrange(-bound + 1, bound)).scaleb(-scale):f}"

    return value


def _whole(bits: int, *, signed: bool) -> Callable[[random.Random], int]:
    low = -(2 ** (bits - 1)) if signed else 0
    return lambda dice: dice.choice((low, low + 2**bits - 1, dice.randrange(low, low + 2**bits)))


def _moment(dice: random.Random) -> str:
    return f"{_date(dice)} {_clock(dice)}"


def _instant(dice: random.Random) -> str:
    return f"{dice.randint(1971, 2037)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02} " + (
        _clock(dice)
    )


def _one_of(*values: object) -> Callable[[random.Random], object]:
    return lambda dice: dice.choice(values)


#: Declaration, what makes a value, and SQL of what the client is asked for where it would print
#: the bytes as they are.
COLUMNS: dict[str, tuple[Callable[[random.Random], object], str]] = {
    "tinyint(1)": (_one_of(0, 1), "{}"),
    "boolean": (_one_of(0, 1), "{}"),
    "tinyint": (_whole(8, signed=True), "{}"),
    "tinyint unsigned": (_whole(8, signed=False), "{}"),
    "smallint": (_whole(16, signed=True), "{}"),
    "mediumint unsigned": (_whole(24, signed=False), "{}"),
    "int": (_whole(32, signed=True), "{}"),
    "int(7) zerofill": (_whole(20, signed=False), "{} + 0"),
    "bigint": (_whole(64, signed=True), "{}"),
    "bigint unsigned": (_whole(64, signed=False), "{}"),
    "bit(1)": (_whole(1, signed=False), "{} + 0"),
    "bit(5)": (_whole(5, signed=False), "{} + 0"),
    "bit(63)": (_whole(63, signed=False), "{} + 0"),
    "bit(64)": (_whole(64, signed=False), "{} + 0"),
    "decimal(1,0)": (_digits(1, 0), "{}"),
    "decimal(12,2)": (_digits(10, 2), "{}"),
    "decimal(38,38)": (_digits(0, 38), "{}"),
    "decimal(65,0)": (_digits(65, 0), "{}"),
    "decimal(65,30)": (_digits(35, 30), "{}"),
    "decimal(50,3)": (_digits(20, 3), "{}"),
    "float": (lambda dice: dice.uniform(-1e6, 1e6), "{}"),
    "double": (lambda dice: dice.choice((0.1, 1e300, 5e-324, dice.uniform(-1, 1))), "{}"),
    "char(7)": (lambda dice: _text(dice)[:7], "{}"),
    "varchar(60)": (_text, "{}"),
    "varchar(60) collate utf8mb4_bin": (_text, "{}"),
    "varchar(9) charset latin1": (_one_of("é€", "ÿ", "x"), "{}"),
    "text charset utf16": (_text, "{}"),
    "tinytext": (_text, "{}"),
    "longtext": (_text, "{}"),
    "binary(4)": (lambda dice: dice.randbytes(4), "hex({})"),
    "varbinary(9)": (lambda dice: dice.randbytes(dice.randint(0, 9)), "hex({})"),
    "blob": (lambda dice: dice.randbytes(dice.randint(0, 40)), "hex({})"),
    "enum('a','b é')": (_one_of("a", "b é"), "{}"),
    "set('x','y')": (_one_of("", "x", "x,y"), "{}"),
    "json": (_one_of('{"a":  [1, 2]}', "null", '"é 🙂"', "1.50"), "{}"),
    "uuid": (lambda dice: f"{dice.randrange(16**8):08x}-e89b-12d3-a456-426614174000", "{}"),
    "inet6": (_one_of("::1", "2001:db8::ff"), "{}"),
    "inet4": (_one_of("10.0.0.1", "255.255.255.255"), "{}"),
    "date": (_date, "{}"),
    "datetime": (_moment, "{}"),
    "datetime(6)": (_moment, "{}"),
    "timestamp(3) null": (_instant, "{}"),
    "time": (_clock, "{}"),
    "time(6)": (_clock, "{}"),
    "year": (_one_of(1901, 2024, 2155), "{}"),
    "point": (_one_of("POINT(7.19 43.72)", "POINT(-0.0000001 1e20)"), "ST_AsText({})"),
    "geometry": (_one_of("POLYGON((0 0,1 0,1 1,0 0))", "LINESTRING(0 0,1 1)"), "ST_AsText({})"),
    # And each with values that are outside the type it has elsewhere.
    "date default null": (_one_of("0000-00-00", "2024-02-00", "2024-01-15"), "{}"),
    "datetime(3) default null": (_one_of("0000-00-00", "2024-02-01 10:00:00.5"), "{}"),
    "timestamp null default null": (_one_of("0000-00-00", "2024-07-01 10:00:00"), "{}"),
    "time(2) default null": (_hours, "{}"),
    "decimal(65,2)": (_digits(63, 2), "{}"),
}


@pytest.fixture(scope="module")
def url(mariadb_server) -> Iterator[str]:
    dice = random.Random(20240701)  # noqa: S311
    columns = [sa.column(f"c{n}") for n in range(len(COLUMNS))]
    names = ", ".join(f"c{n} {declared}" for n, declared in enumerate(COLUMNS))
    table = sa.table("judged", sa.column("id"), *columns)
    with mariadb_server.database() as url:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("SET time_zone = '+00:00', sql_mode = ''")
            connection.exec_driver_sql(f"CREATE TABLE judged (id int PRIMARY KEY, {names})")
            for row in range(ROWS):
                values = {"id": row}
                for n, (declared, (make, _)) in enumerate(COLUMNS.items()):
                    value = None if dice.random() < 0.1 else make(dice)
                    is_shape = declared in {"point", "geometry"} and value is not None
                    values[f"c{n}"] = sa.func.ST_GeomFromText(value) if is_shape else value
                connection.execute(table.insert().values(values))
        yield url


def client_rows(url: str, sql: str) -> list[list[str | None]]:
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


def _unescaped(cell: str) -> str:
    meanings = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
    return re.sub(r"\\(.)", lambda found: meanings[found[1]], cell)


def read(url: str, query: sa.Select | sa.TextClause) -> pa.Table:
    with open_source(url).open(query) as stream:
        return pa.Table.from_batches(list(stream), schema=stream.schema)


def as_the_client_prints(value: Any, printed: str) -> Any:
    """`printed`, read as the type that `value` has."""
    if isinstance(value, bytes):
        return bytes.fromhex(printed)
    if isinstance(value, dt.datetime):
        return dt.datetime.fromisoformat(printed).replace(tzinfo=value.tzinfo)
    if isinstance(value, dt.date | dt.time):
        return type(value).fromisoformat(printed)
    return type(value)(printed)


@pytest.mark.parametrize("n", range(len(COLUMNS)), ids=list(COLUMNS))
def test_each_value_is_the_one_the_client_prints(url, n):
    asked = list(COLUMNS.values())[n][1].format(f"c{n}")
    sql = "SELECT {} FROM judged ORDER BY id"
    printed = [row[0] for row in client_rows(url, sql.format(asked))]

    column = read(url, text_query(sql.format(f"id, c{n}")))[f"c{n}"]

    field = column.type
    for value, text in zip(column.to_pylist(), printed, strict=True):
        if value is None or text is None:
            assert value is text
            continue
        plain = value.removesuffix("+00:00") if isinstance(value, str) else value
        assert plain == as_the_client_prints(plain, text), field


def test_table_query_and_dataset_have_the_same_types_and_values(url):
    table = read(url, table_query(url, "judged"))
    columns = [sa.column("id"), *(sa.column(f"c{n}") for n in range(len(COLUMNS)))]
    dataset = sa.select(*columns).select_from(sa.text("judged")).order_by(sa.column("id"))

    for query in (text_query("SELECT * FROM judged ORDER BY id"), dataset):
        other = read(url, query)
        assert other.schema.equals(table.schema, check_metadata=True)
        assert other.equals(table)


@pytest.mark.parametrize(
    "options",
    [
        *("charset=utf8", "charset=latin1", "charset=gbk", "charset=binary", "use_unicode=0"),
        *("init_command=SET NAMES latin1", "init_command=SET time_zone = '%2B05:00'"),
        *("init_command=SET sql_select_limit = 1", "sql_mode=NO_BACKSLASH_ESCAPES"),
        *("sql_mode=ANSI_QUOTES", "sql_mode=PAD_CHAR_TO_FULL_LENGTH", "sql_mode=ORACLE"),
        *("sql_mode=HIGH_NOT_PRECEDENCE,PIPES_AS_CONCAT", "collation=latin1_bin"),
        "sql_mode=STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE",
    ],
)
def test_no_option_of_a_url_changes_a_value(url, options):
    expected = read(url, table_query(url, "judged"))

    other = f"{url}?{options}"

    assert read(other, table_query(other, "judged")).equals(expected)
    found = read(other, text_query("SELECT '客户 🙂' AS x WHERE '🙂' = '🙂'"))
    assert found["x"].to_pylist() == ["客户 🙂"]
