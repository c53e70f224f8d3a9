"""A private PgBouncer in transaction mode before the private PostgreSQL, ended with the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.servers.ports import free_ports
from tests.support.servers.postgres import PASSWORD, USER, PostgresServer, unprivileged

_INI = """
[databases]
* = host=127.0.0.1 port={server_port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
"""


@pytest.fixture
def pgbouncer_url(postgres_server: PostgresServer, postgres_url: str) -> Iterator[str]:
    """`postgres_url` by way of PgBouncer: three sessions for whoever asks, one a transaction."""
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(program).exists():
        raise FileNotFoundError("PgBouncer is not installed: run `tests/install-servers`.")
    (port,) = free_ports(1)
    folder = Path(tempfile.mkdtemp(prefix="waybill-pgbouncer-"))
    users, ini, log = (folder / name for name in ("users.txt", "pgbouncer.ini", "log"))
    users.write_text(f'"{USER}" "{PASSWORD}"\n')
    ini.write_text(
        _INI.format(
            server_port=postgres_server.port, user=USER, password=PASSWORD, port=port, users=users
        )
    )
    identity = unprivileged()
    if identity:
        for path in (folder, users, ini):
            os.chown(path, identity["user"], identity["group"])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, ini], stdout=output, stderr=output, cwd=folder, **identity
        )
    try:
        wait_for(lambda: _answers(port))
        database = sa.make_url(postgres_url).set(port=port)
        yield database.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


def _answers(port: int) -> bool:
    try:
        psycopg.connect(
            host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres"
        ).close()
    except psycopg.OperationalError:
        return False
    return True
