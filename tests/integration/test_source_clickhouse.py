"""ClickHouse as a source: each type, broken answers, accounts, profiles, named tables, a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.exported_lines import exported_lines
from tests.support.servers.clickhouse import ClickhouseServer, clickhouse_server
from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources import open_source
from waybill.infra.sources.clickhouse.errors import BrokenStream
from waybill.infra.sources.errors import SourceRejected, SourceUnavailable
from waybill.infra.sources.operator_queries import table_query, text_query

pytestmark = pytest.mark.server

PASSWORD = "canary-secret"
_UUID = "61f0c404-5cb3-11e7-907b-a6006ad3dba0"
_INSTANT = dt.datetime(2024, 2, 28, 16, 2, 3, tzinfo=dt.UTC)
_NINES = Decimal(f"{'9' * 28}.{'9' * 10}")

#: By expression: the Arrow type, the mark, and the value.
VALUES = {
    "true": ("bool", None, True),
    "toInt8(-128)": ("int16", None, -128),
    "toUInt8(255)": ("int16", None, 255),
    "toInt16(-32768)": ("int16", None, -32_768),
    "toUInt16(65535)": ("int32", None, 65_535),
    "toInt32(-2147483648)": ("int32", None, -(2**31)),
    "toUInt32(4294967295)": ("int64", None, 2**32 - 1),
    "toInt64(9007199254740993)": ("int64", None, 2**53 + 1),
    "toUInt64(18446744073709551615)": ("decimal128(20, 0)", None, Decimal(2**64 - 1)),
    f"toInt128('{-(2**127)}')": ("string", b"integer", str(-(2**127))),
    f"toUInt128('{2**128 - 1}')": ("string", b"integer", str(2**128 - 1)),
    f"toInt256('{-(2**255)}')": ("string", b"integer", str(-(2**255))),
    f"toUInt256('{2**256 - 1}')": ("string", b"integer", str(2**256 - 1)),
    "toFloat32(0.5)": ("float", None, 0.5),
    "toBFloat16(0.5)": ("float", None, 0.5),
    "0.1": ("double", None, 0.1),
    "-inf": ("double", None, float("-inf")),
    "toDecimal32('1.20', 2)": ("decimal128(9, 2)", None, Decimal("1.20")),
    f"CAST('{_NINES}' AS Decimal(38, 10))": ("decimal128(38, 10)", None, _NINES),
    f"CAST('-{'9' * 56}.{'1' * 19}0' AS Decimal(76, 20))": (
        "string",
        b"decimal",
        f"-{'9' * 56}.{'1' * 19}0",
    ),
    "CAST(NULL AS Nullable(Decimal(76, 20)))": ("string", b"decimal", None),
    "'客户 🙂'": ("string", None, "客户 🙂"),
    "'a\\0b'": ("string", None, "a\0b"),
    "unhex('61ff')": ("string", None, "\\x61ff"),
    "toFixedString('EUR', 3)": ("string", None, "EUR"),
    "toFixedString('ab', 4)": ("string", None, "ab"),
    "toFixedString('a\\0b', 4)": ("string", None, "\\x61006200"),
    "toFixedString(unhex('ff00'), 2)": ("string", None, "\\xff00"),
    "CAST(NULL AS Nullable(FixedString(2)))": ("string", None, None),
    "CAST('x' AS LowCardinality(Nullable(FixedString(2))))": ("string", None, "x"),
    "toDate('2024-02-29')": ("date32[day]", None, dt.date(2024, 2, 29)),
    "toDate32('1900-01-01')": ("date32[day]", None, dt.date(1900, 1, 1)),
    "toDate32('2299-12-31')": ("date32[day]", None, dt.date(2299, 12, 31)),
    "toDateTime('2024-02-29 01:02:03', 'Asia/Tokyo')": ("timestamp[us, tz=UTC]", None, _INSTANT),
    "CAST(NULL AS Nullable(DateTime('Asia/Tokyo')))": ("timestamp[us, tz=UTC]", None, None),
    "toDateTime64('2024-02-29 01:02:03', 0, 'Asia/Tokyo')": (
        "timestamp[us, tz=UTC]",
        None,
        _INSTANT,
    ),
    "toDateTime64('2024-02-29 01:02:03.25', 2, 'Asia/Tokyo')": (
        "timestamp[us, tz=UTC]",
        None,
        _INSTANT.replace(microsecond=250_000),
    ),
    "toDateTime64('2024-02-29 01:02:03.123456', 6, 'Asia/Tokyo')": (
        "timestamp[us, tz=UTC]",
        None,
        _INSTANT.replace(microsecond=123_456),
    ),
    "toDateTime64('1900-01-01 00:00:00.000001', 6, 'UTC')": (
        "timestamp[us, tz=UTC]",
        None,
        dt.datetime(1900, 1, 1, microsecond=1, tzinfo=dt.UTC),
    ),
    "CAST('-36:15:00' AS Time)": ("string", b"interval", "-36:15:00"),
    "CAST('12:00:00.123456789' AS Time64(9))": ("string", b"interval", "12:00:00.123456789"),
    "CAST('calm' AS Enum8('calm' = 1, 'a (b), c' = 2))": ("string", None, "calm"),
    "CAST('a (b), c' AS Enum16('calm' = 1, 'a (b), c' = 2))": ("string", None, "a (b), c"),
    f"toUUID('{_UUID}')": ("string", None, _UUID),
    "toIPv4('192.0.2.1')": ("string", None, "192.0.2.1"),
    "toIPv6('2001:db8::1')": ("string", None, "2001:db8::1"),
    "NULL": ("string", None, None),
    "toLowCardinality('x')": ("string", None, "x"),
    "CAST(NULL AS LowCardinality(Nullable(String)))": ("string", None, None),
    "CAST(7 AS SimpleAggregateFunction(sum, UInt64))": ("decimal128(20, 0)", None, Decimal(7)),
    "INTERVAL 3 DAY": ("string", None, "3 day"),
    "[1, NULL]": ("string", b"json", "[1,null]"),
    "[toUInt64(18446744073709551615)]": ("string", b"json", "[18446744073709551615]"),
    "[toDecimal64('1.20', 2)]": ("string", b"json", "[1.20]"),
    "[toDateTime('2024-02-29 01:02:03', 'Asia/Tokyo')]": (
        "string",
        b"json",
        '["2024-02-28T16:02:03Z"]',
    ),
    f"[toUUID('{_UUID}')]": ("string", b"json", f'["{_UUID}"]'),
    "map('a/b', toInt64(9007199254740993))": ("string", b"json", '{"a/b":9007199254740993}'),
    "(1, 'x\"y')": ("string", b"json", '[1,"x\\"y"]'),
    "CAST((1, nan) AS Tuple(a Int8, b Float64))": ("string", b"json", '{"a":1,"b":"nan"}'),
    "'{\"a\":18446744073709551615}'::JSON": ("string", b"json", '{"a":18446744073709551615}'),
    "(1.5, 2.5)::Point": ("string", b"json", "[1.5,2.5]"),
    "CAST('x' AS Variant(String, UInt64))": ("string", b"json", '"x"'),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickhouseServer]:
    with clickhouse_server(tmp_path_factory.mktemp("clickhouse"), PASSWORD) as running:
        running.profile = {"enable_time_time64_type": "1"}
        running.execute(
            "CREATE TABLE orders ENGINE = MergeTree ORDER BY id AS SELECT number AS id,"
            " toDecimal64('12.30', 2) AS `Total \"x\"`, unhex('61ff') AS raw FROM numbers(3)"
        )
        yield running


def url(server: ClickhouseServer, password: str = PASSWORD) -> str:
    return f"clickhouse://ann:{password}@127.0.0.1:{server.port}?tls=off"


def read(server: ClickhouseServer, query: str | sa.Select) -> pa.Table:
    address = url(server)
    query = text_query(query, address) if isinstance(query, str) else query
    with open_source(address).open(query) as stream:
        table = pa.Table.from_batches(list(stream), schema=stream.schema)
        assert stream.rows_expected is None
    return table


def test_each_type_is_exact_or_text_that_says_what_it_is(server):
    columns = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(VALUES))

    table = read(server, f"SELECT {columns}")

    found = {
        sql: (str(field.type), (field.metadata or {}).get(b"waybill.kind"), column[0].as_py())
        for sql, field, column in zip(VALUES, table.schema, table.columns, strict=True)
    }
    assert found == VALUES


def test_nanoseconds_stay(server):
    table = read(server, "SELECT toDateTime64('2024-02-29 01:02:03.123456789', 9, 'UTC') AS x")

    assert table.schema.field("x").type == pa.timestamp("ns", "UTC")
    assert table["x"].cast(pa.int64()).to_pylist() == [1_709_168_523_123_456_789]


def test_bytes_that_are_no_text_are_counted(server):
    query = text_query("SELECT raw, id FROM orders UNION ALL SELECT 'fine', 7")

    with open_source(url(server)).open(query) as stream:
        texts = pa.Table.from_batches(list(stream))["raw"].to_pylist()

    assert sorted(texts) == ["\\x61ff"] * 3 + ["fine"]
    assert stream.read_as_text == {0: 3}


def test_a_table_a_query_and_a_dataset_have_the_same_values(server):
    columns = map(sa.column, ("id", 'Total "x"', "raw"))
    dataset = sa.select(sa.table("orders", *columns)).order_by(sa.column("id"))

    by_table = read(server, table_query(url(server), "orders"))

    assert by_table.equals(read(server, "SELECT * FROM orders"))
    assert by_table.equals(read(server, dataset))
    assert by_table['Total "x"'].to_pylist() == [Decimal("12.30")] * 3


def test_rows_keep_their_order_below_the_conversions(server):
    query = "SELECT toUInt128(number) AS n FROM numbers(200000) ORDER BY sipHash64(number)"

    numbers = read(server, query)["n"].to_pylist()

    assert numbers == [n for (n,) in server.execute(query)]


@pytest.mark.parametrize(
    "value",
    [Decimal("-0.10"), 2**64, True, b"\x00\xff'\\", 1.5, dt.date(2024, 2, 29)],
    ids=lambda value: type(value).__name__,
)
def test_a_value_of_each_type_is_bound_as_what_it_is(server, value):
    chosen = sa.select(sa.func.hex(sa.func.toString(sa.bindparam("x", value))).label("x"))

    sent = bytes.fromhex(read(server, chosen)["x"][0].as_py())

    text = str(value).lower() if isinstance(value, bool) else str(value).removesuffix("0")
    assert sent == (value if isinstance(value, bytes) else text.encode())


def test_two_columns_of_one_name_are_refused_where_one_could_be_taken_for_the_other(server):
    with pytest.raises(SourceRejected, match="two columns of the same name"):
        read(server, "SELECT x, x FROM (SELECT toUInt128(1) AS x)")


def test_states_of_aggregates_are_refused_with_a_remedy(server):
    with pytest.raises(SourceRejected, match="finalizeAggregation"):
        read(server, "SELECT sumState(id) AS x FROM orders")


@pytest.mark.parametrize("cut", ["between two batches", "inside one"])
def test_rows_that_end_early_are_never_taken_for_all_of_them(server, cut, monkeypatch):
    from waybill.infra.sources.clickhouse import response

    limit = {"between two batches": -8, "inside one": -5000}[cut]
    sent = server.ask("SELECT number FROM numbers(50000)", "ArrowStream", {})[1][:limit]
    monkeypatch.setattr(server, "ask", lambda *_: (200, sent))

    batches = response.Batches(_response(server))

    with pytest.raises(BrokenStream):
        list(batches)


def _response(server: ClickhouseServer):
    import urllib3

    headers = urllib3.make_headers(basic_auth="ann:canary-secret")
    return urllib3.PoolManager().request(
        "POST",
        f"http://127.0.0.1:{server.port}/",
        body=b"SELECT 1",
        headers=headers,
        preload_content=False,
    )


def test_a_query_that_fails_for_one_of_its_rows_is_rejected(server):
    with pytest.raises(SourceRejected) as refused:
        read(server, "SELECT toInt32(concat('canary', toString(number))) AS x FROM numbers(9)")

    assert "canary" not in str(refused.value)


def test_a_query_that_is_killed_by_others_may_be_tried_again(server):
    with open_source(url(server)).open(text_query("SELECT * FROM numbers(5000000)")) as stream:
        batches = iter(stream)
        next(batches)
        for query_id in list(server.running):
            server.kill(query_id)
        with pytest.raises(SourceUnavailable, match="ended on the database server"):
            list(batches)


def test_a_limit_of_the_profile_does_not_cut_the_rows(server):
    server.profile |= {"limit": "5", "max_rows_in_distinct": "2", "distinct_overflow_mode": "break"}
    try:
        with pytest.raises(SourceRejected, match="larger sets of values"):
            read(server, "SELECT DISTINCT number FROM numbers(1000)")
        assert read(server, "SELECT number FROM numbers(8)").num_rows == 8
    finally:
        for name in ("limit", "max_rows_in_distinct", "distinct_overflow_mode"):
            del server.profile[name]


def test_a_wrong_password_says_so_and_not_with_what(server):
    with (
        pytest.raises(SourceUnavailable, match="refuses the account") as refused,
        open_source(url(server, "canary-wrong")).open(text_query("SELECT 1 AS x")),
    ):
        pass

    assert "canary" not in str(refused.value)


def test_a_server_that_is_away_says_so():
    away = open_source("clickhouse://ann:canary@127.0.0.1:1?tls=off")

    with (
        pytest.raises(SourceUnavailable, match="Nothing answers") as refused,
        away.open(text_query("SELECT 1 AS x")),
    ):
        pass

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("clickhouse:///sales", "names a host"),
        ("clickhouse://h?tls=maybe", "on or off"),
        ("clickhouse://h?compress=1", "not known: 'compress'"),
        ("clickhouse://h?tls_ca=/nowhere.pem", "no file"),
        ("clickhouse://h?connect_timeout=soon", "number of seconds"),
    ],
)
def test_a_url_is_refused_with_what_is_wrong_in_it(text, says):
    with pytest.raises(InvalidRequest, match=says):
        open_source(text)


def test_tls_is_on_unless_the_url_says_otherwise():
    from waybill.infra.sources.clickhouse.url_options import connect_options

    secure, plain = (
        connect_options(sa.make_url(f"clickhouse://h{options}")) for options in ("", "?tls=off")
    )

    assert (secure["interface"], secure["port"]) == ("https", 8443)
    assert (plain["interface"], plain["port"]) == ("http", 8123)


def test_the_command_exports_a_table(server, tmp_path: Path, monkeypatch):
    lines = exported_lines(tmp_path, monkeypatch, url(server))

    assert lines == ['"id","Total ""x""","raw"', *(f'{n},12.30,"\\x61ff"' for n in range(3))]
