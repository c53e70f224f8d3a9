"""Arrow Flight SQL: servers such as Dremio, InfluxDB 3, Doris, StarRocks and GizmoSQL.

``flightsql://user:password@host:31337`` speaks TLS. Options: ``tls`` (``on``, ``off``), ``tls_ca``
(a file), ``token`` (sent as a bearer token), and ``header.NAME`` for what a server wants in a
header, such as ``header.database=sales`` for InfluxDB.
"""

from __future__ import annotations

from pathlib import Path

import adbc_driver_flightsql.dbapi as flight_sql
import adbc_driver_manager as adbc
import sqlalchemy as sa
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_manager import dbapi

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.adbc.session import AdbcSession, last_values

_HEADER = "header."
_OPTIONS = ("tls", "tls_ca", "token")
#: What only says that a server does not describe itself is no reason to give up.
_NO_ANSWER = (
    adbc.AdbcStatusCode.IO,
    adbc.AdbcStatusCode.TIMEOUT,
    adbc.AdbcStatusCode.UNAUTHENTICATED,
)


def flight_sql_session(url: sa.URL) -> AdbcSession:
    """A session for a ``flightsql://`` URL. Connects to nothing yet.

    Raises:
        InvalidRequest: no host, an unknown option, or a value it cannot have.
    """
    address, options = connect_options(url)

    def connect() -> dbapi.Connection:
        connection = flight_sql.connect(address, db_kwargs=options, autocommit=True)
        try:
            _ask(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    return AdbcSession(connect)


def _ask(connection: dbapi.Connection) -> None:
    """Have the server answer once. Without a user the driver would connect with the query.

    Raises:
        adbc.Error: it does not answer, or refuses the token.
    """
    try:
        connection.adbc_get_info()
    except adbc.Error as error:
        if error.status_code in _NO_ANSWER:
            raise


def connect_options(url: sa.URL) -> tuple[str, dict[str, str]]:
    """The address as gRPC has it, and the driver's options.

    Raises:
        InvalidRequest: said without the value, which may be a password.
    """
    if not url.host:
        raise InvalidRequest("A Flight SQL URL names a host: flightsql://user:password@host:31337.")
    given = last_values(url)
    tls = given.get("tls", "on")
    if tls not in {"on", "off"}:
        raise InvalidRequest("tls of the Flight SQL URL is on or off.")
    options: dict[str, str] = {}
    if url.username is not None:
        options |= {"username": url.username, "password": str(url.password or "")}
    for name, value in given.items():
        if name.startswith(_HEADER):
            options[DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + name.removeprefix(_HEADER)] = (
                value
            )
        elif name not in _OPTIONS:
            raise InvalidRequest(
                f"The Flight SQL URL has an option that is not known: {name!r}; known:"
                f" {', '.join(_OPTIONS)}, {_HEADER}NAME."
            )
    if "token" in given:
        options[DatabaseOptions.AUTHORIZATION_HEADER.value] = f"Bearer {given['token']}"
    if "tls_ca" in given:
        options[DatabaseOptions.TLS_ROOT_CERTS.value] = _file(given["tls_ca"])
    host = f"[{url.host}]" if ":" in url.host else url.host
    scheme = "grpc+tls" if tls == "on" else "grpc+tcp"
    return f"{scheme}://{host}:{url.port or 31337}", options


def _file(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, ValueError):
        raise InvalidRequest(
            "tls_ca of the Flight SQL URL names no file of certificates."
        ) from None
