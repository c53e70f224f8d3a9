"""F35: rows are read from a hot standby, which has to apply changes to them meanwhile."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.eventually import wait_for
from tests.support.servers.postgres_pair import running_pair
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import ReadConflict
from waybill.infra.sources.operator_queries import text_query
from waybill.infra.worker.failures import classify_error

#: More than the buffers between server and client hold.
ROWS = 300_000


def test_f35_a_read_that_a_standby_breaks_off_names_the_conflict_and_is_tried_again_later():
    # It waits for nobody who reads, and the primary does not know of them.
    with (
        running_pair(max_standby_streaming_delay="0", hot_standby_feedback="off") as pair,
        pair.database() as url,
        psycopg.connect(url, autocommit=True) as primary,
    ):
        primary.execute("CREATE TABLE shop (n int, text text)")
        fill = "INSERT INTO shop SELECT n, repeat('x', 200) FROM generate_series(1, %s) n"
        primary.execute(fill, [ROWS])
        pair.catch_up()
        name = url.rpartition("/")[2].partition("?")[0]
        source = open_source(pair.standby.url(name))
        with source.open(text_query("SELECT n, text FROM shop"), count=False) as stream:
            batches = iter(stream)
            assert next(batches).num_rows
            primary.execute("DELETE FROM shop")
            primary.execute("VACUUM shop")
            (position,) = primary.execute("SELECT pg_current_wal_lsn()").fetchone() or ()
            with pair.standby.connect() as standby:
                arrived = "SELECT 1 WHERE pg_last_wal_receive_lsn() >= %s::pg_lsn"
                wait_for(lambda: standby.execute(arrived, [position]).fetchall())
            with pytest.raises(ReadConflict) as caught:
                sum(batch.num_rows for batch in batches)

    decision = classify_error(caught.value)
    assert (decision.code, decision.retry, decision.is_slow) == ("read_conflict", True, True)
