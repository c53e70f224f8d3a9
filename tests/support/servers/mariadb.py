"""A private MariaDB: own data, own socket, a free loopback port, ended with the run."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from tests.support.servers.ports import free_ports

USER = "waybill"
PASSWORD = "only@tests"

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise FileNotFoundError(
            f"MariaDB is not installed: no `{name}` in PATH. "
            "Run `make test`, which installs it, or `apt-get install mariadb-server`."
        )
    return found


def _unprivileged() -> dict[str, Any]:
    """Arguments for `subprocess` that drop root; nothing when we are not root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class MariadbServer:
    """One server process with an empty data folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_ports(1)[0]
        self._folder = folder
        self._data = folder / "data"
        self.socket = folder / "socket"
        self._options = options
        self._log = folder / "server.log"
        self._identity = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        if self._identity:
            os.chown(folder, self._identity["user"], self._identity["group"])
        done = subprocess.run(
            [
                *(_program("mariadb-install-db"), "--no-defaults", f"--datadir={self._data}"),
                f"--tmpdir={folder}",
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
                "--innodb-log-file-size=8M",
            ],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
            **self._identity,
        )
        if done.returncode:
            raise RuntimeError(f"mariadb-install-db failed:\n{done.stdout}{done.stderr}")

    def start(self) -> None:
        """Run the server, and make the account that `url` names."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(_program("mariadbd"), "--no-defaults", f"--datadir={self._data}"),
                    f"--tmpdir={self._folder}",
                    *(f"--socket={self.socket}", f"--port={self.port}"),
                    *("--bind-address=127.0.0.1", f"--pid-file={self._folder / 'pid'}"),
                    *("--skip-log-bin", "--skip-name-resolve", "--innodb-log-file-size=8M"),
                    *("--innodb-flush-log-at-trx-commit=0", *self._options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                **self._identity,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._prepared():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"MariaDB did not start:\n{self._log.read_text()}")
            time.sleep(0.05)

    def _prepared(self) -> bool:
        with socket.socket(socket.AF_UNIX) as knock:
            # The driver leaves its socket open when it cannot connect, and that is a warning.
            if knock.connect_ex(str(self.socket)):
                return False
        self.execute(f"CREATE USER {USER} IDENTIFIED BY '{PASSWORD}'")
        self.execute(f"GRANT ALL ON *.* TO {USER}")
        return True

    def execute(self, statement: str) -> None:
        """Run one statement as root."""
        with pymysql.connect(user="root", unix_socket=str(self.socket)) as connection:
            connection.cursor().execute(statement)

    def stop(self) -> None:
        """End the server."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait(_STOP_SECONDS)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, dropped at the end."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name}")

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of `database`."""
        url = sa.URL.create("mysql+pymysql", USER, PASSWORD, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariadbServer]:
    """One running server for the whole run."""
    folder = Path(tempfile.mkdtemp(prefix="waybill-mariadb-"))
    server: MariadbServer | None = None
    try:
        server = MariadbServer(folder)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def mariadb_url(mariadb_server: MariadbServer) -> Iterator[str]:
    """The URL of an empty database of its own, dropped after the test."""
    with mariadb_server.database() as url:
        yield url
