"""Parts of a query: ranges of its rows by a key, which several sessions read in one snapshot.

One session plans the parts and exports its snapshot (``pg_export_snapshot``); the others import it
and read a range each. A name of a snapshot lives as long as the session that exported it, and a
session that has imported it can export it again, so the snapshot outlives its first session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from psycopg import sql

from waybill.exporter.shards.plan import KeyRange, Shard, ShardPlan, Snapshot
from waybill.infra.sources.postgres.columns import PostgresColumn

#: What tells a snapshot from any other one. Names do not: they begin again with the server.
_MARK = sql.SQL(
    "(pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()) * 1000000)"
    "::pg_catalog.int8::pg_catalog.text"
    " || ' ' || pg_catalog.txid_current_snapshot()::pg_catalog.text AS mark"
)
SNAPSHOT_MARK = sql.SQL("SELECT {}").format(_MARK)
#: For a session whose snapshot others read. The worker that holds it asks more often than that
#: whether the session is there, so it ends by itself only if that process hangs or has no network.
SHARE_SNAPSHOT = sql.SQL(
    "SELECT pg_catalog.set_config('idle_in_transaction_session_timeout', '5min', true),"
    " pg_catalog.pg_export_snapshot() AS name, {}"
).format(_MARK)
#: Types whose order and texts are the same in every session.
_KEY_TYPES = {
    name: f"pg_catalog.{type_}"
    for name, type_ in (
        ("smallint", "int2"),
        ("integer", "int4"),
        ("bigint", "int8"),
        ("uuid", "uuid"),
    )
}

_PLAN = """
    SELECT coalesce(max(pg_catalog.pg_typeof(key)::pg_catalog.text), '') AS type,
        count(*) AS keys,
        coalesce(pg_catalog.bool_or(key = before), false) AS repeated,
        coalesce(
            pg_catalog.array_agg(key::pg_catalog.text ORDER BY number)
                FILTER (WHERE (number - 1) % {rows} = 0),
            '{{}}'
        ) AS bounds,
        max(key::pg_catalog.text) FILTER (WHERE number = {total}) AS last
    FROM (
        SELECT {key} AS key,
            pg_catalog.row_number() OVER by_key AS number,
            pg_catalog.lag({key}) OVER by_key AS before
        FROM ({statement}
        ) AS waybill_rows ({columns})
        WHERE {key} IS NOT NULL
        WINDOW by_key AS (ORDER BY {key})
    ) AS numbered
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where parts begin: the type and the place of the key, and its first value in each part."""

    key: int
    type: str
    first: tuple[str, ...]
    #: The last value of all.
    last: str


@dataclass(frozen=True, slots=True)
class PartOfQuery:
    """A range of the rows of a query, as a session reads it."""

    snapshot: Snapshot
    shard: Shard

    @property
    def rows(self) -> int:
        """Rows of the range."""
        return self.shard.rows

    @property
    def types(self) -> list[Any]:
        """What the pass over all rows of the query found of their types."""
        return list(self.snapshot.state["types"])

    @property
    def imports(self) -> list[sql.Composable]:
        """Statements that may import the snapshot, the likeliest first.

        One of them has to come first in the transaction, and its snapshot to have the mark of this.
        """
        names = map(sql.Literal, self.snapshot.names)
        return [sql.SQL("SET TRANSACTION SNAPSHOT {}").format(name) for name in names]

    def select(self, statement: sql.SQL, columns: Sequence[PostgresColumn]) -> sql.Composable:
        """The rows of `statement` in this range, in the order of the key."""
        state, keys = self.snapshot.state, self.shard.keys
        key = columns[state["key"]].sql_name
        conditions: list[sql.Composable] = [sql.SQL("true")]
        bounds = [
            (keys.lower if keys.after is None else None, sql.SQL(">=")),
            (keys.after, sql.SQL(">")),
            (keys.upper, sql.SQL("<")),
        ]
        if keys.upper is None:
            # Rows that were added later are of a later snapshot, and not of this export.
            bounds.append((state["last"], sql.SQL("<=")))
        for bound, operator in bounds:
            if bound is not None:
                # Of `_KEY_TYPES`, so it needs no quotes.
                value = sql.SQL("{}::{}").format(
                    sql.Literal(bound), sql.SQL(_KEY_TYPES[state["type"]])
                )
                conditions.append(sql.SQL(" ").join([key, operator, value]))
        return sql.SQL("SELECT * FROM ({}\n) AS waybill_part ({}) WHERE {} ORDER BY {}").format(
            statement,
            sql.SQL(", ").join(column.sql_name for column in columns),
            sql.SQL(" AND ").join(conditions),
            key,
        )


def plan_parts(
    query: Callable[[sql.Composable], pa.Table],
    statement: sql.SQL,
    columns: Sequence[PostgresColumn],
    key: str,
    rows: int,
    total: int,
) -> Bounds | None:
    """Where parts of `rows` rows begin, in the order of the column `key`.

    None where `key` is no column, is of a type without a fixed order, or is null or the same in
    several rows.
    """
    places = [column.position for column in columns if column.field.name == key]
    if len(places) != 1:
        return None
    [place] = places
    plan = sql.SQL(_PLAN).format(
        rows=sql.Literal(rows),
        total=sql.Literal(total),
        key=columns[place].sql_name,
        statement=statement,
        columns=sql.SQL(", ").join(column.sql_name for column in columns),
    )
    [found] = query(plan).to_pylist()
    if found["type"] not in _KEY_TYPES or found["repeated"] or found["keys"] != total:
        return None
    return Bounds(place, found["type"], tuple(found["bounds"]), found["last"])


def shards_of(snapshot: Snapshot, bounds: Bounds, rows: int) -> ShardPlan:
    """The plan of `rows` rows a shard that begin at `bounds`; the last one has what is left."""
    uppers = [*bounds.first[1:], None]
    lowers = [None, *bounds.first[1:]]
    last = len(lowers) - 1
    return ShardPlan(
        snapshot,
        [
            Shard(
                number,
                snapshot.rows - rows * last if number == last else rows,
                KeyRange(lower, upper),
            )
            for number, (lower, upper) in enumerate(zip(lowers, uppers, strict=True))
        ],
    )
