"""The same bytes, whatever a server, an account, a URL or the environment is set to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.corpus.case import ZONE
from tests.judges.differential import mariadb, postgres, sqlite
from tests.judges.differential.files import FILES, by_command_line, content
from tests.support import odd_settings as odd
from tests.support.servers.mariadb import MariadbServer

pytestmark = pytest.mark.slow

_ROWS = 12
_PASSWORD = "only-for-odd"
_WAYS = {"table": {"table": "judged"}, "query": {"query": "SELECT * FROM judged ORDER BY id"}}
_FORMATS = ("csv", "xlsx", "parquet")

#: By the name of a file, what is in it.
Digests = Mapping[str, str]

ways = st.sampled_from(sorted(_WAYS))
#: A failing example is small enough, and each one takes its time.
few = settings(max_examples=6, phases=[Phase.explicit, Phase.generate])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd")


def exported(
    url: str, folder: Path, way: str, *, environment: Mapping[str, str] | None = None
) -> Digests:
    """What the command line makes of the table, in the formats that differ most."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        for name in _FORMATS:
            path = folder / f"judged.{name}"
            by_command_line(path, url, *FILES[name], **_WAYS[way])
            found[name] = digest(path)
    return found


def digest(path: Path) -> str:
    return sha256(repr(content(path.read_bytes())).encode()).hexdigest()


def shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def postgres_odd(postgres_server) -> Iterator[str]:
    with postgres_server.database() as url, as_admin(url) as admin:
        postgres.fill(url, _ROWS)
        admin.execute(f"CREATE ROLE odd LOGIN PASSWORD '{_PASSWORD}'")
        admin.execute("GRANT SELECT ON judged TO odd")
        yield shown(sa.make_url(url).set(username="odd", password=_PASSWORD))
        admin.execute("DROP OWNED BY odd")
        admin.execute("DROP ROLE odd")


def as_admin(url: str) -> psycopg.Connection:
    plain = shown(sa.make_url(url).set(drivername="postgresql"))
    return psycopg.connect(plain, autocommit=True)


@pytest.fixture(scope="module")
def postgres_usual(postgres_odd: str, folder: Path) -> Digests:
    return exported(postgres_odd, folder, "table")


@few
@given(
    for_role=odd.odd_settings(odd.POSTGRES),
    in_url=odd.odd_settings(odd.POSTGRES),
    environment=odd.odd_settings(odd.POSTGRES_ENVIRONMENT),
    way=ways,
)
def test_postgresql(
    postgres_odd, postgres_usual, postgres_server, folder, for_role, in_url, environment, way
):
    url = sa.make_url(postgres_odd)
    options = " ".join(
        f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in in_url.items()
    )
    if options:
        url = url.update_query_dict({"options": options})
    with postgres_server.connect() as admin:
        try:
            for name, value in for_role.items():
                values = value.split(", ") if name == "search_path" else [value]
                literals = sql.SQL(", ").join(sql.Literal(item.strip('"')) for item in values)
                admin.execute(
                    sql.SQL("ALTER ROLE odd SET {} TO {}").format(sql.Identifier(name), literals)
                )
            assert exported(shown(url), folder, way, environment=environment) == postgres_usual
        finally:
            admin.execute("ALTER ROLE odd RESET ALL")


@pytest.fixture(scope="module")
def mariadb_odd(mariadb_server: MariadbServer) -> Iterator[str]:
    """With an account that may not pass over what a server does at each connection."""
    with mariadb_server.database() as url:
        mariadb.fill(url, _ROWS)
        place = sa.make_url(url)
        mariadb_server.execute(f"CREATE USER odd IDENTIFIED BY '{_PASSWORD}'")
        mariadb_server.execute(f"GRANT SELECT ON {place.database}.* TO odd")
        yield shown(place.set(username="odd", password=_PASSWORD))
        mariadb_server.execute("DROP USER odd")


@contextmanager
def set_globally(server: MariadbServer, chosen: Mapping[str, str]) -> Iterator[None]:
    """The server with other settings for everybody who connects from now on."""
    address = {"host": "127.0.0.1", "port": server.port, "autocommit": True}
    account = sa.make_url(server.url("mysql"))
    with (
        pymysql.connect(user=account.username, password=account.password, **address) as connection,
        connection.cursor() as cursor,
    ):
        before = {}
        for name in chosen:
            cursor.execute(f"SELECT @@GLOBAL.{name}")
            [before[name]] = cursor.fetchone()
        try:
            for name, value in chosen.items():
                cursor.execute(f"SET GLOBAL {name} = {value}")
            yield
        finally:
            for name, value in before.items():
                cursor.execute(f"SET GLOBAL {name} = %s", (value,))


@pytest.fixture(scope="module")
def mariadb_usual(mariadb_odd: str, folder: Path) -> Digests:
    return exported(mariadb_odd, folder, "table")


@few
@given(on_server=odd.odd_settings(odd.MARIADB), in_url=odd.odd_settings(odd.MARIADB_URL), way=ways)
def test_mariadb(mariadb_odd, mariadb_usual, mariadb_server, folder, on_server, in_url, way):
    url = shown(sa.make_url(mariadb_odd).update_query_dict(in_url))
    with set_globally(mariadb_server, on_server):
        assert exported(url, folder, way) == mariadb_usual


@pytest.fixture(scope="module")
def sqlite_file(folder: Path) -> Path:
    path = folder / "judged.db"
    sqlite.fill(f"sqlite:///{path}", _ROWS)
    return path


@pytest.fixture(scope="module")
def sqlite_usual(sqlite_file: Path, folder: Path) -> Digests:
    return exported(f"sqlite:///{sqlite_file}", folder, "table")


@few
@given(in_url=odd.odd_settings(odd.SQLITE_URL), way=ways)
@example(in_url={"detect_types": "3"}, way="table")
def test_sqlite(sqlite_file, sqlite_usual, folder, in_url, way):
    address = f"sqlite:///file:{sqlite_file}?{urlencode({**in_url, 'uri': 'true'})}"
    assert exported(address, folder, way) == sqlite_usual


@pytest.mark.parametrize("database", ["postgres", "mariadb", "sqlite"])
def test_the_environment_of_a_process(request, folder, database):
    usual = request.getfixturevalue(f"{database}_usual")
    url = f"sqlite:///{folder}/judged.db"
    if database != "sqlite":
        url = request.getfixturevalue(f"{database}_odd")
    path = folder / "process.csv"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "waybill",
            "export",
            "--source",
            url,
            "--table",
            "judged",
            "-o",
            path,
        ],
        env=os.environ
        | odd.ENVIRONMENT
        | {"WAYBILL_TIMEZONE": ZONE.key, "WAYBILL_HOME": str(folder / "home")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert digest(path) == usual["csv"]
