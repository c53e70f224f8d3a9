"""A private PostgreSQL: own data, own socket folder, a free loopback port, ended with the run.

The server is a child of the test process and not of `pg_ctl`, so its process id is known
and a crash (`kill`, `stop(immediate=True)`) is a real one. PostgreSQL refuses to run as
root; there it runs as an unprivileged user, in a folder outside pytest's private ones.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.servers.ports import free_ports

USER = "waybill"
#: Has a character that URLs must escape, so that no code may paste a DSN together.
PASSWORD = "only@tests"

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
#: From this version on `CREATE DATABASE` has a STRATEGY; before, it copied files.
_HAS_STRATEGIES = 150000
#: Speed over safety: the data is thrown away with the folder.
_CONFIG = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
}


def _programs() -> Path:
    """The folder with `initdb` and `postgres`, the newest version where there are several."""
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).resolve().parent / "postgres").exists():
        return Path(on_path).resolve().parent
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if installed:
        return max(installed, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))])
    raise FileNotFoundError(
        "PostgreSQL is not installed: no `initdb` in PATH or in /usr/lib/postgresql/*/bin. "
        "Run `make test`, which installs it, or `apt-get install postgresql`."
    )


def unprivileged() -> dict[str, Any]:
    """Arguments for `subprocess` that drop root; nothing when we are not root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class PostgresServer:
    """One server process. `start` and `stop` may be repeated; the data stays between them."""

    def __init__(
        self, folder: Path, *, standby_of: PostgresServer | None = None, **config: str
    ) -> None:
        """`config` are settings of the server beyond those of the tests.

        With `standby_of`, it is a copy of that running server and goes on replicating from it.
        """
        self._config = _CONFIG | config
        self.port = free_ports(1)[0]
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "server.log"
        self._programs = _programs()
        self._identity = unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        if self._identity:
            os.chown(folder, self._identity["user"], self._identity["group"])
        if standby_of is None:
            self._initialise()
        else:
            self._copy(standby_of)

    def _initialise(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            *("initdb", "--pgdata", self._data, "--username", USER),
            *("--auth", "scram-sha-256", "--pwfile", password),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )

    def _copy(self, primary: PostgresServer) -> None:
        self._run(
            *("pg_basebackup", "--pgdata", self._data, "--dbname", primary.conninfo),
            *("--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast"),
            "--no-sync",
        )

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            cwd=self._folder,
            check=False,
            **self._identity,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def start(self) -> None:
        """Run the server and wait until it answers. After `kill`, this recovers its data."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                self.stop(immediate=True)
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")
            if self._process is None or self._process.poll() is not None:
                # The first try, or backends of a killed server still hold its shared memory.
                self._launch()
            time.sleep(0.05)

    def _launch(self) -> None:
        settings = {**self._config, "port": self.port, "unix_socket_directories": self._folder}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._programs / "postgres", "-D", self._data),
                    *(f"--{name}={value}" for name, value in settings.items()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                **self._identity,
            )

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, *, immediate: bool = False) -> None:
        """End the server: open transactions are rolled back, or with `immediate`, it crashes."""
        self._end(signal.SIGQUIT if immediate else signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL, as the kernel's out-of-memory killer would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(_STOP_SECONDS)

    def become_standby(self) -> None:
        """Restart as a standby whose primary is gone: it answers, and takes no writes."""
        self.stop()
        signal_file = self._data / "standby.signal"
        signal_file.touch()
        if self._identity:
            os.chown(signal_file, self._identity["user"], self._identity["group"])
        self.start()

    @property
    def pid(self) -> int:
        """The process that all others of a running server are children of."""
        if self._process is None:
            raise RuntimeError("PostgreSQL is not running.")
        return self._process.pid

    @property
    def conninfo(self) -> str:
        """How libpq reaches it as its superuser, without a database."""
        return make_conninfo(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, connect_timeout=10
        )

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """An autocommitting connection of the superuser."""
        return psycopg.connect(self.conninfo, dbname=database, autocommit=True)

    def dump(self, database: str) -> Path:
        """Write a dump of `database`, and return its file. It stays until its reader deletes it."""
        file = self._folder / f"{database}.dump"
        target = make_conninfo(self.conninfo, dbname=database)
        self._run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={target}")
        return file

    def restore(self, database: str, dump: Path) -> None:
        """Put what is in `dump` in the place of `database`, with clients connected."""
        name = sql.Identifier(database)
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        target = make_conninfo(self.conninfo, dbname=database)
        self._run("pg_restore", "--exit-on-error", f"--dbname={target}", dump)

    def delete(self) -> None:
        """Delete the data of a server that is stopped for good."""
        # Processes of a killed one end a moment later.
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a copy of `template`, which is empty by default and has no connection.

        It is dropped at the end whoever is still connected.
        """
        name = f"test_{secrets.token_hex(6)}"
        identifier = sql.Identifier(name)
        with self.connect() as connection:
            # The default writes each page to the log, which takes three times the processor time.
            has_strategies = connection.info.server_version >= _HAS_STRATEGIES
            strategy = sql.SQL("STRATEGY FILE_COPY" if has_strategies else "")
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}")
            connection.execute(create.format(identifier, sql.Identifier(template), strategy))
        try:
            yield self.url(name)
        finally:
            with self.connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))

    @contextmanager
    def database_of(self, script: LiteralString) -> Iterator[str]:
        """The URL of a database of its own, in which `script` was run."""
        with self.database() as url:
            plain = sa.make_url(url).set(drivername="postgresql")
            conninfo = plain.render_as_string(hide_password=False)
            with psycopg.connect(conninfo, autocommit=True) as connection:
                connection.execute(script)
            yield url

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of `database`."""
        url = sa.URL.create("postgresql+psycopg", USER, PASSWORD, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One running server for the whole run. A test that stops it has to start it again."""
    folder = Path(tempfile.mkdtemp(prefix="waybill-postgres-"))
    server: PostgresServer | None = None
    try:
        server = PostgresServer(folder)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database of its own, dropped after the test."""
    with postgres_server.database() as url:
        yield url
