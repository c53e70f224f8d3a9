"""The session that reads ClickHouse by ``clickhouse-connect``: one query, as a stream of Arrow.

ClickHouse has no snapshot of two statements, so rows are not counted before they are read. Within
one query each table is read as its parts were when the query began.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import clickhouse_connect
import pyarrow as pa
import sqlalchemy as sa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httpclient import HttpClient
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from waybill.exporter.datasets.dataset import Query
from waybill.infra.sources.arrow_stream.columns import ArrowColumn
from waybill.infra.sources.arrow_stream.session import ArrowPlan, ArrowSession, Statement
from waybill.infra.sources.batches import MAX_ROWS
from waybill.infra.sources.clickhouse.columns import column
from waybill.infra.sources.clickhouse.dialect import ClickhouseDialect, with_types
from waybill.infra.sources.clickhouse.errors import BrokenStream, by_code
from waybill.infra.sources.clickhouse.response import Batches
from waybill.infra.sources.clickhouse.url_options import SILENCE_SECONDS, connect_options
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.errors import SourceError, SourceRejected

#: Set for each query, also against the profile of the account. The first decide what a value looks
#: like; others would cut a result, or leave out a shard, without a word; the last keep the server
#: from giving up while an upload is slow, and from going on when nobody listens any more.
_SETTINGS = {
    "date_time_output_format": "iso",
    "output_format_decimal_trailing_zeros": "1",
    "output_format_arrow_string_as_string": "0",
    "output_format_arrow_low_cardinality_as_dictionary": "0",
    "output_format_json_quote_64bit_integers": "0",
    "output_format_json_quote_decimals": "0",
    "output_format_json_quote_denormals": "1",
    "output_format_json_escape_forward_slashes": "0",
    "output_format_json_named_tuples_as_objects": "1",
    "limit": "0",
    "offset": "0",
    "extremes": "0",
    "skip_unavailable_shards": "0",
    "read_overflow_mode": "throw",
    "read_overflow_mode_leaf": "throw",
    "result_overflow_mode": "throw",
    "timeout_overflow_mode": "throw",
    "group_by_overflow_mode": "throw",
    "sort_overflow_mode": "throw",
    "distinct_overflow_mode": "throw",
    "join_overflow_mode": "throw",
    "set_overflow_mode": "throw",
    "transfer_overflow_mode": "throw",
    "max_block_size": str(MAX_ROWS),
    "http_send_timeout": "3600",
    "http_receive_timeout": "3600",
    "cancel_http_readonly_queries_on_client_close": "1",
    # An export only reads. 2 and not 1: settings may be changed still.
    "readonly": "2",
}

#: What the driver itself knows of the settings may have been cut by them.
_UNCUT = {name: _SETTINGS[name] for name in ("limit", "offset", "result_overflow_mode")}
_LIST_SETTINGS = (
    "SELECT name, value, readonly FROM system.settings WHERE name IN {waybill_names:Array(String)}"
)

_KILL = "KILL QUERY WHERE query_id = {waybill_id:String} ASYNC"


@dataclass(slots=True)
class ClickhouseConnection:
    """A client with connections of its own, and the query that it runs."""

    client: Client
    settings: Mapping[str, str]
    query_id: str = ""
    reader: Batches | None = None
    #: Whether the server may still be busy with `query_id`.
    is_running: bool = field(default=False)


class ClickhouseSession(ArrowSession):
    """Reads one ClickHouse server.

    Raises:
        InvalidRequest: the URL has an option that is not known, or a value it cannot have.
    """

    errors = (ClickHouseError, HTTPError, BrokenStream, pa.ArrowException, OSError)
    has_snapshot = False

    def __init__(self, url: sa.URL) -> None:
        self._options = connect_options(url)
        self.dialect = ClickhouseDialect()

    def connect(self) -> ClickhouseConnection:
        """A client; it asks the server for its version and settings.

        Another client asks first, which waits no longer than ``connect_timeout``: this one waits an
        hour for the first row of a query, and would for a server that stands still.

        Raises:
            SourceRejected: the profile of the account fixes a setting that an export needs.
        """
        first = self._client(self._connect_seconds)
        try:
            settings = _settings(first)
        finally:
            first.close()
        return ClickhouseConnection(self._client(SILENCE_SECONDS), settings)

    @property
    def _connect_seconds(self) -> int:
        return int(self._options["connect_timeout"])

    def _client(self, silence_seconds: int) -> Client:
        return clickhouse_connect.get_client(
            **self._options,
            send_receive_timeout=silence_seconds,
            dedicated_pool=True,
            compress=False,
            query_retries=0,
            autogenerate_session_id=False,
            client_name="waybill",
        )

    def begin(self, driver: ClickhouseConnection) -> datetime:
        """The time before the query, by our own clock."""
        return datetime.now(UTC)

    def render(self, query: Query) -> Statement:
        """`query` with placeholders that carry their types; the values are by their names.

        Raises:
            SourceRejected: it cannot be written, or a value has no type in ClickHouse.
        """
        text, values = compile_query(query, self.dialect)
        try:
            text, given = with_types(text, values if isinstance(values, dict) else {})
        except ValueError:
            raise SourceRejected("A parameter has a value that its type does not allow.") from None
        return Statement(text, tuple(given.items()))

    def plan(self, driver: ClickhouseConnection, statement: Statement, *, count: bool) -> ArrowPlan:
        """Ask for the types of the columns, and run the query."""
        described = Statement(f"DESCRIBE TABLE ({statement.text}\n)", statement.values)
        listed = self._run(driver, described)
        table = pa.Table.from_batches(list(listed), schema=listed.schema)
        names = [name.decode() for name in table["name"].cast(pa.binary()).to_pylist()]
        kinds = [kind.decode() for kind in table["type"].cast(pa.binary()).to_pylist()]
        columns = [column(name, kind) for name, kind in zip(names, kinds, strict=True)]
        if any(found.select != "{0}" for found in columns):
            statement = statement.selecting(_selected(names, columns), " AS waybill_rows")
        self._run(driver, statement)
        return ArrowPlan(columns, statement, None, MAX_ROWS)

    def count(self, driver: ClickhouseConnection, statement: Statement) -> int:
        """How many rows the query has, now."""
        counted = self._run(driver, statement.selecting(["count()"], " AS waybill_rows"))
        [batch] = [batch for batch in counted if batch.num_rows]
        return int(batch.column(0)[0].as_py())

    def read(self, driver: ClickhouseConnection, plan: ArrowPlan) -> Iterator[pa.RecordBatch]:
        """What `plan` has begun."""
        if driver.reader is None:
            raise RuntimeError("the query was not run")
        return _to_the_end(driver, driver.reader)

    def _run(self, driver: ClickhouseConnection, statement: Statement) -> Batches:
        self._leave(driver)
        driver.query_id, driver.is_running = str(uuid4()), True
        response = driver.client.raw_stream(
            statement.text,
            parameters=dict(statement.values),
            settings={**driver.settings, "query_id": driver.query_id},
            fmt="ArrowStream",
        )
        driver.reader = Batches(response)
        return driver.reader

    def interrupt(self, driver: ClickhouseConnection) -> None:
        """End the running query on the server, which ends the answer."""
        if driver.is_running:
            if isinstance(driver.client, HttpClient):
                # From here on nothing is asked that takes long.
                driver.client.timeout = Timeout(self._connect_seconds)
            driver.client.raw_query(
                _KILL, parameters={"waybill_id": driver.query_id}, fmt="TabSeparated"
            )

    def close(self, driver: ClickhouseConnection) -> None:
        """End the query, and all connections."""
        with suppress(*self.errors):
            self._leave(driver)
            self.interrupt(driver)
        driver.client.close()

    @staticmethod
    def _leave(driver: ClickhouseConnection) -> None:
        reader, driver.reader = driver.reader, None
        if reader is not None:
            reader.close()

    def translate(self, error: Exception) -> SourceError:
        """By the number that ClickHouse gives it."""
        return by_code(error)


def _to_the_end(driver: ClickhouseConnection, reader: Batches) -> Iterator[pa.RecordBatch]:
    yield from reader
    driver.is_running = False


def _selected(names: list[str], columns: list[ArrowColumn]) -> list[str]:
    if len(set(names)) < len(names):
        raise SourceRejected("The query has two columns of the same name.")
    quoted = ['"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names]
    return [
        f"{found.select.format(name)} AS {name}" if found.select != "{0}" else name
        for found, name in zip(columns, quoted, strict=True)
    ]


def _settings(client: Client) -> dict[str, str]:
    """Those of `_SETTINGS` that the server knows and that have another value there.

    Raises:
        SourceRejected: one of them may not be changed.
    """
    listed = client.raw_query(
        _LIST_SETTINGS,
        parameters={"waybill_names": list(_SETTINGS)},
        settings=_UNCUT,
        fmt="JSONCompact",
    )
    needed = dict(_UNCUT)
    for name, has, may_not_change in json.loads(listed)["data"]:
        value = _SETTINGS[name]
        if has == value:
            continue
        if int(may_not_change):
            raise SourceRejected(
                f"The account of the source URL may not change the setting {name}, which an export"
                " needs. Give it a profile with readonly = 2, or with that setting at"
                f" {value}."
            )
        needed[name] = value
    return needed
