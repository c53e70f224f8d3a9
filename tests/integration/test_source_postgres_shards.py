"""Shards of a PostgreSQL query: every row in one of them, all in one snapshot."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.support.eventually import wait_for
from waybill.exporter.shards.reached import KeptKeys
from waybill.exporter.stop import StopToken
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SnapshotLost
from waybill.infra.sources.postgres.parts import SHARE_SNAPSHOT

ROWS = 1_000
KEYED = sa.table("keyed", sa.column("id"), sa.column("amount"), sa.column("twice"))
QUERY = sa.select(KEYED)


@pytest.fixture
def admin(postgres_url):
    plain = sa.make_url(postgres_url).set(drivername="postgresql")
    with psycopg.connect(
        plain.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        # Keys with gaps, not in the order of the table; an amount whose scale only all rows tell.
        connection.execute(
            "CREATE TABLE keyed AS SELECT (n * 7919) % 1000003 AS id,"
            " (n / (CASE n WHEN 900 THEN 1000.0 ELSE 1 END))::numeric AS amount, n / 2 AS twice"
            " FROM generate_series(1, 1000) n"
        )
        yield connection


@pytest.fixture
def source(postgres_url):
    return open_source(postgres_url)


def rows_of(source, plan, shard, snapshot=None):
    with source.open_shard(QUERY, snapshot or plan.snapshot, shard) as stream:
        assert stream.rows_expected == shard.rows
        return pa.Table.from_batches(list(stream), schema=stream.schema)


def end_sessions(admin):
    """End every session that did nothing since it exported its snapshot."""
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND query LIKE '%pg_export_snapshot%'"
    )


def test_every_row_is_in_one_shard_of_one_snapshot(source, admin):
    with source.share(QUERY, "id", 300, 9, StopToken()) as plan:
        assert [shard.rows for shard in plan.shards] == [300, 300, 300, 100]
        first = rows_of(source, plan, plan.shards[0])
        admin.execute("UPDATE keyed SET amount = 0; DELETE FROM keyed WHERE id % 2 = 0")
        rest = [rows_of(source, plan, shard) for shard in plan.shards[1:]]
    together = pa.concat_tables([first, *rest])
    assert together["id"].to_pylist() == sorted((n * 7919) % 1000003 for n in range(1, ROWS + 1))
    # One type in all shards: the scale is that of a single row.
    assert {table.schema for table in rest} == {first.schema}
    assert sum(together["twice"].to_pylist()) == sum(n // 2 for n in range(1, ROWS + 1))


def test_a_shard_that_has_begun_outlives_the_session_that_shared_the_snapshot(source, admin):
    with ExitStack() as held:
        plan = held.enter_context(source.share(QUERY, "id", 300, 9, StopToken()))
        stream = held.enter_context(source.open_shard(QUERY, plan.snapshot, plan.shards[1]))
        end_sessions(admin)
        assert sum(batch.num_rows for batch in stream) == 300
        with pytest.raises(SnapshotLost), source.open_shard(QUERY, plan.snapshot, plan.shards[2]):
            pass


def test_f133_the_rest_of_a_shard_is_read_behind_a_key(source, admin):
    with source.share(QUERY, "id", 300, 9, StopToken()) as plan:
        for shard in plan.shards[1], plan.shards[-1]:
            whole = rows_of(source, plan, shard)
            with source.open_shard(QUERY, plan.snapshot, shard) as stream:
                keys = KeptKeys(stream, 0)
                assert sum(batch.num_rows for batch in keys) == shard.rows
            key = keys.key_of(40)
            assert key == str(whole["id"][39].as_py())
            rest = rows_of(source, plan, shard.behind(key, 40))
            assert rest.equals(whole.slice(40))


def test_shards_are_larger_where_there_would_be_too_many(source, admin):
    with source.share(QUERY, "id", 100, 3, StopToken()) as plan:
        assert [shard.rows for shard in plan.shards] == [400, 400, 200]


@pytest.mark.parametrize("key", ["twice", "amount", "missing", "nulls"])
def test_what_is_no_key_splits_nothing(source, admin, key):
    admin.execute("ALTER TABLE keyed ADD nulls int")
    admin.execute("UPDATE keyed SET nulls = id WHERE id > 5000")
    query = sa.select(KEYED, sa.column("nulls"))
    with source.share(query, key, 300, 9, StopToken()) as plan:
        assert plan is None


def test_a_uuid_is_a_key_and_a_query_with_chance_in_it_is_not_split(source, admin):
    admin.execute("ALTER TABLE keyed ADD code uuid DEFAULT gen_random_uuid()")
    query = sa.select(KEYED, sa.column("code"))
    with source.share(query, "code", 400, 9, StopToken()) as plan:
        assert [shard.rows for shard in plan.shards] == [400, 400, 200]
    with source.share(query.where(sa.func.random() < 2), "code", 400, 9, StopToken()) as plan:
        assert plan is None


def test_a_snapshot_outlives_each_of_its_sessions_while_another_one_holds_it(source, admin):
    with ExitStack() as first:
        plan = first.enter_context(source.share(QUERY, "id", 300, 9, StopToken()))
        second = source.hold(QUERY, plan.snapshot)
    admin.execute("UPDATE keyed SET amount = 0; DELETE FROM keyed WHERE id % 2 = 0")
    third = source.hold(QUERY, second.snapshot)
    second.close()
    # As it is on record: the newest name comes first, and those that lead nowhere are passed over.
    known = replace(plan.snapshot, renamed=(second.snapshot.name, third.snapshot.name))
    tables = [rows_of(source, plan, shard, known) for shard in plan.shards]
    together = pa.concat_tables(tables)
    assert together["id"].to_pylist() == sorted((n * 7919) % 1000003 for n in range(1, ROWS + 1))
    assert min(together["amount"].to_pylist()) > 0
    assert third.is_alive()
    third.close()
    with pytest.raises(SnapshotLost):
        source.hold(QUERY, known)


def test_a_name_that_another_snapshot_has_now_leads_nowhere(source, admin):
    with source.share(QUERY, "id", 300, 9, StopToken()) as plan:
        first = plan.snapshot
    admin.execute("DELETE FROM keyed WHERE id % 2 = 0")
    with source.share(QUERY, "id", 300, 9, StopToken()) as plan:
        # Names begin again when the server does.
        taken = replace(first, name=plan.snapshot.name)
        with pytest.raises(SnapshotLost), source.open_shard(QUERY, taken, plan.shards[0]):
            pass


def test_a_session_that_holds_a_snapshot_locks_what_the_query_reads_and_ends_when_silent(
    source, admin
):
    with ExitStack() as first:
        plan = first.enter_context(source.share(QUERY, "id", 300, 9, StopToken()))
        held = source.hold(QUERY, plan.snapshot)
    admin.execute("SET lock_timeout = '100ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        admin.execute("ALTER TABLE keyed ALTER twice TYPE bigint")
    with admin.transaction():
        admin.execute(SHARE_SNAPSHOT)
        assert admin.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("5min",)
    end_sessions(admin)
    wait_for(lambda: not held.is_alive())
    held.close()


def test_another_snapshot_of_rows_that_stay_takes_the_place_of_a_lost_one(source, admin):
    with source.share(QUERY, "id", 300, 9, StopToken()) as plan:
        before = rows_of(source, plan, plan.shards[3])
    # Rows that were added since have larger keys, and are not of this export.
    admin.execute("INSERT INTO keyed SELECT 2000000 + n, n, n FROM generate_series(1, 50) n")
    held = source.hold(QUERY, plan.snapshot, anew=True)
    assert rows_of(source, plan, plan.shards[3], held.snapshot) == before
    assert held.snapshot.taken_at == plan.snapshot.taken_at
    held.close()
