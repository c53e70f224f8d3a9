"""The task database of the soak: a primary with a synchronous standby, behind addresses that move.

A commit is on both servers before it is answered, so a failover loses nothing that was accepted.
Restoring an older dump does, and `restore` says what.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from psycopg import sql

from tests.support.eventually import wait_for
from tests.support.servers.postgres_pair import PostgresPair
from tests.support.servers.tcp_proxy import TcpProxy

_SECONDS = 60.0


class Database:
    """Two servers, and the proxies that lead to whichever of them takes writes."""

    def __init__(self, folder: Path, ways: list[TcpProxy]) -> None:
        self._pair = PostgresPair(folder)
        self._ways = ways
        self._name = f"soak_{secrets.token_hex(4)}"
        with self._pair.primary.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._name)))
        self._move_addresses()
        self._be_synchronous()

    def url(self, way: TcpProxy) -> str:
        """Its SQLAlchemy URL, by one of the proxies."""
        url = sa.make_url(self._pair.primary.url(self._name)).set(port=way.port)
        return url.render_as_string(hide_password=False)

    def crash(self) -> None:
        """Every process of the primary ends at once, and its memory is lost."""
        self._pair.primary.stop(immediate=True)

    def lose_standby(self) -> None:
        """Kill the standby: commits wait for it."""
        self._pair.standby.kill()

    def start(self) -> None:
        """Start what is down, and wait until commits are answered."""
        for server in (self._pair.primary, self._pair.standby):
            server.start()
        self._be_synchronous()

    def fail_over(self) -> None:
        """Kill the primary, promote the standby, and build another standby."""
        old = self._pair.primary
        self._pair.fail_over()
        old.delete()
        self._move_addresses()
        self._pair.rebuild_standby()
        self._be_synchronous()

    @contextmanager
    def dumped(self) -> Iterator[Path]:
        """A dump of now, as of a nightly backup."""
        dump = self._pair.primary.dump(self._name)
        try:
            yield dump
        finally:
            dump.unlink()

    def restore(self, dump: Path) -> None:
        """Put an older state in the place of the current one, with clients connected."""
        self._pair.primary.restore(self._name, dump)
        # Settings of a database are in no dump of it.
        with self._pair.primary.connect() as connection:
            setting = sql.SQL("ALTER DATABASE {} SET synchronous_commit = on")
            connection.execute(setting.format(sql.Identifier(self._name)))
        self._pair.catch_up()

    def close(self) -> None:
        """End both servers."""
        self._pair.close()

    def _move_addresses(self) -> None:
        for way in self._ways:
            way.lead_to(self._pair.primary.port)

    def _be_synchronous(self) -> None:
        with self._pair.primary.connect() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")

            def follows() -> object:
                query = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
                return connection.execute(query).fetchall()

            wait_for(follows, _SECONDS)
