"""A PostgreSQL primary and its asynchronous standby, and the failover from one to the other."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from psycopg import sql

from tests.support.eventually import wait_for
from tests.support.servers.postgres import PASSWORD, USER, PostgresServer

#: What replication needs, beyond the settings of other tests.
_CONFIG = {
    "wal_level": "replica",
    "max_wal_senders": "4",
    "wal_keep_size": "256MB",
    # Each commit is sent at once, and does not wait for the standby.
    "synchronous_commit": "local",
}
_SECONDS = 60.0


class PostgresPair:
    """Two servers. `primary` and `standby` say which is which now."""

    def __init__(self, folder: Path, **standby_config: str) -> None:
        """`standby_config` are settings of the standby."""
        self._folder = folder
        # The servers run as another user, who has to get through to their folders.
        folder.chmod(0o755)
        self._standby_config = standby_config
        self.primary = PostgresServer(self._new_folder(), **_CONFIG)
        self.primary.start()
        self.standby = self._new_standby()

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))

    def _new_standby(self) -> PostgresServer:
        config = _CONFIG | self._standby_config
        standby = PostgresServer(self._new_folder(), standby_of=self.primary, **config)
        standby.start()
        return standby

    def catch_up(self) -> None:
        """Wait until the standby has applied everything that the primary has committed now."""
        with self.primary.connect() as primary, self.standby.connect() as standby:
            (position,) = primary.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ()

            def applied() -> object:
                query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
                row = standby.execute(query, [position]).fetchone()
                return row and row[0]

            wait_for(applied, _SECONDS)

    def disconnect(self) -> None:
        """Stop replicating: what is committed from now on is lost when the primary is."""
        with self.standby.connect() as standby:
            standby.execute("ALTER SYSTEM SET primary_conninfo = ''")
            standby.execute("SELECT pg_reload_conf()")

            def stopped() -> bool:
                return not standby.execute("SELECT 1 FROM pg_stat_wal_receiver").fetchall()

            wait_for(stopped, _SECONDS)

    def replicate_synchronously(self) -> None:
        """From now on a commit with ``synchronous_commit = on`` waits for the standby."""
        with self.primary.connect() as primary:
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.execute("SELECT pg_reload_conf()")

            def synchronous() -> bool:
                query = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
                return bool(primary.execute(query).fetchall())

            wait_for(synchronous, _SECONDS)

    def fail_over(self) -> None:
        """Kill the primary and promote the standby, whatever it has not received."""
        self.primary.kill()
        with self.standby.connect() as standby:
            standby.execute("SELECT pg_promote(true, 60)")
        self.primary, self.standby = self.standby, self.primary

    def rebuild_standby(self) -> None:
        """After `fail_over`: a new standby, copied from the server that is the primary now."""
        self.standby = self._new_standby()

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, on whichever of the two takes writes."""
        name = f"test_{secrets.token_hex(6)}"
        create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        with self.primary.connect() as connection:
            connection.execute(create)
        yield self.url(name)

    def url(self, database: str = "postgres") -> str:
        """The URL of `database` with both hosts, of which the one that takes writes is meant."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in (self.primary, self.standby))
        return (
            f"postgresql://{USER}:{quote(PASSWORD, safe='')}@{hosts}/{database}"
            "?target_session_attrs=read-write"
        )

    def close(self) -> None:
        """End both servers."""
        for server in (self.standby, self.primary):
            with suppress(RuntimeError):
                server.stop(immediate=True)


@contextmanager
def running_pair(**standby_config: str) -> Iterator[PostgresPair]:
    """A primary and a standby with these settings, ended and deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="waybill-postgres-pair-"))
    pair: PostgresPair | None = None
    try:
        pair = PostgresPair(folder, **standby_config)
        yield pair
    finally:
        if pair is not None:
            pair.close()
        shutil.rmtree(folder)


@pytest.fixture
def postgres_pair() -> Iterator[PostgresPair]:
    """A primary and its standby, for one test: a failover cannot be undone."""
    with running_pair() as pair:
        yield pair
