"""An asynchronous standby of PostgreSQL takes over from its primary (F97)."""

from __future__ import annotations

import psycopg


def test_f97_a_url_with_both_hosts_leads_to_the_one_that_takes_writes(postgres_pair):
    with postgres_pair.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (n int)")
        postgres_pair.catch_up()
        postgres_pair.disconnect()
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO kept VALUES (1)")
        postgres_pair.fail_over()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == []
