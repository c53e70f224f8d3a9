"""MariaDB over each spelling of a URL: drivers, passwords, sockets, and TLS as it is asked for."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from tests.support.servers.certificates import self_signed
from tests.support.servers.mariadb import PASSWORD, USER, MariadbServer
from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceUnavailable

#: An account each, with this password.
PASSWORDS = ["p@ss", "p/s?s#s", "a:b", "a%b", "a+b", "p€客", "a&b=c", "a b", "a[b]"]


@pytest.fixture(scope="module")
def accounts(mariadb_server: MariadbServer) -> Iterator[dict[str, str]]:
    """A password's account."""
    names = {password: f"account_{number}" for number, password in enumerate(PASSWORDS)}
    for password, name in names.items():
        mariadb_server.execute(f"CREATE USER {name} IDENTIFIED BY '{password}'")
    yield names
    for name in names.values():
        mariadb_server.execute(f"DROP USER {name}")


def read(url: str, expression: str = "7") -> object:
    with open_source(url).open(sa.text(f"SELECT {expression} AS x")) as stream:
        [value] = [value for batch in stream for value in batch.column(0).to_pylist()]
        return value


@pytest.mark.parametrize(
    "scheme",
    [
        *("mysql", "MySQL", "mysql+pymysql", "mysql+mysqldb", "mysql+aiomysql"),
        *("mariadb", "mariadb+pymysql", "mariadb+mariadbconnector"),
    ],
)
def test_each_driver_s_name_is_read_alike(mariadb_server: MariadbServer, scheme: str) -> None:
    assert read(f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{mariadb_server.port}/mysql") == 7


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_is_taken_as_it_is_and_escaped(
    mariadb_server: MariadbServer, accounts: dict[str, str], password: str
) -> None:
    for written in (password, quote(password, safe="")):
        url = f"mysql://{accounts[password]}:{written}@127.0.0.1:{mariadb_server.port}/"
        assert read(url, "current_user()") == f"{accounts[password]}@%"


def test_a_socket_is_an_option_or_the_host(mariadb_server: MariadbServer) -> None:
    path = str(mariadb_server.socket)
    for place in (
        f"localhost/mysql?unix_socket={path}",
        f"/mysql?socket={path}",
        f"/mysql?host={path}",
        f"{quote(path, safe='')}/mysql",
    ):
        assert read(f"mysql://{USER}:{PASSWORD}@{place}") == 7
    with pytest.raises(InvalidRequest, match="names one host"):
        read(f"mysql://{USER}:{PASSWORD}@one,two/mysql")


@pytest.fixture(scope="module")
def encrypted() -> Iterator[tuple[MariadbServer, Path]]:
    """A server with TLS, whose certificate is for 127.0.0.1 alone, and that certificate."""
    folder = Path(tempfile.mkdtemp(prefix="waybill-mariadb-tls-"))
    pem = self_signed(folder, "127.0.0.1").pem
    server = MariadbServer(folder, f"--ssl-cert={pem}", f"--ssl-key={pem}")
    try:
        server.start()
        yield server, pem
    finally:
        server.stop()
        shutil.rmtree(folder)


CIPHER = (
    "(SELECT variable_value > '' FROM information_schema.session_status"
    " WHERE variable_name = 'Ssl_cipher')"
)


@pytest.mark.parametrize(
    ("options", "is_encrypted"),
    [
        ("", 1),
        ("?ssl-mode=PREFERRED", 1),
        ("?ssl-mode=REQUIRED", 1),
        ("?sslmode=require", 1),
        ("?ssl=true", 1),
        ("?ssl=false", 0),
        ("?ssl-mode=DISABLED", 0),
        ("?ssl_ca={pem}", 1),
        ("?ssl_ca={pem}&ssl-mode=VERIFY_CA", 1),
        ("?ssl_ca={pem}&ssl-mode=VERIFY_IDENTITY", 1),
        ("?ssl_ca={pem}&sslmode=verify-full", 1),
        ("?ssl_ca={pem}&ssl_check_hostname=true", 1),
    ],
)
def test_tls_is_as_the_url_asks(
    encrypted: tuple[MariadbServer, Path], options: str, is_encrypted: int
) -> None:
    server, pem = encrypted
    url = f"mysql://{USER}:{PASSWORD}@127.0.0.1:{server.port}/{options.format(pem=pem)}"
    assert read(url, CIPHER) == is_encrypted


@pytest.mark.parametrize(
    ("host", "options"),
    [
        ("127.0.0.1", "ssl-mode=VERIFY_CA"),
        ("127.0.0.1", "ssl-mode=VERIFY_IDENTITY"),
        ("127.0.0.1", "ssl_ca={other}"),
        ("127.0.0.1", "ssl_ca={other}&ssl-mode=REQUIRED"),
        ("localhost", "ssl_ca={pem}&ssl-mode=VERIFY_IDENTITY"),
    ],
)
def test_a_certificate_that_is_not_trusted_gets_no_password(
    encrypted: tuple[MariadbServer, Path], tmp_path: Path, host: str, options: str
) -> None:
    server, pem = encrypted
    options = options.format(pem=pem, other=self_signed(tmp_path, "127.0.0.1").pem)
    with pytest.raises(SourceUnavailable, match="certificate at the address"):
        read(f"mysql://{USER}:{PASSWORD}@{host}:{server.port}/?{options}")


def test_without_an_authority_the_host_s_name_is_checked_by_those_of_the_system(
    encrypted: tuple[MariadbServer, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, pem = encrypted
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    options = f"{server.port}/?ssl-mode=VERIFY_IDENTITY"
    assert read(f"mysql://{USER}:{PASSWORD}@127.0.0.1:{options}", CIPHER) == 1
    with pytest.raises(SourceUnavailable, match="for another name"):
        read(f"mysql://{USER}:{PASSWORD}@localhost:{options}", CIPHER)


@pytest.mark.parametrize("options", ["ssl-mode=REQUIRED", "ssl=true", "ssl-mode=VERIFY_CA"])
def test_a_server_without_tls_gets_no_password_of_who_demands_it(
    mariadb_server: MariadbServer, options: str
) -> None:
    with pytest.raises(SourceUnavailable, match=r"has no TLS.*ssl-mode"):
        read(f"mysql://{USER}:{PASSWORD}@127.0.0.1:{mariadb_server.port}/?{options}")
