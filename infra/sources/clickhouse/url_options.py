"""What a ClickHouse URL says: the server, the account, TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from waybill.exporter.errors import InvalidRequest

_OPTIONS = ("tls", "tls_ca", "connect_timeout", "role")
_HTTPS, _HTTP = 8443, 8123

#: How long no byte may come, in seconds: a long query may have its first row after that.
SILENCE_SECONDS = 3600


def connect_options(url: sa.URL) -> dict[str, Any]:
    """The driver's options for a URL such as ``clickhouse://ann:secret@host/sales?tls=off``.

    Raises:
        InvalidRequest: no host, an unknown option, or a value it cannot have; said without the
            value, which may be a password.
    """
    if not url.host:
        raise InvalidRequest(
            "A ClickHouse URL names a host: clickhouse://user:password@host:8443/database."
        )
    given = {
        name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()
    }
    for name in given:
        if name not in _OPTIONS:
            raise InvalidRequest(
                f"The ClickHouse URL has an option that is not known: {name!r}; known:"
                f" {', '.join(_OPTIONS)}."
            )
    tls = given.get("tls", "on")
    if tls not in {"on", "off"}:
        raise InvalidRequest("tls of the ClickHouse URL is on or off.")
    options: dict[str, Any] = {
        "interface": "https" if tls == "on" else "http",
        "host": url.host,
        "port": url.port or (_HTTPS if tls == "on" else _HTTP),
        "username": url.username or "default",
        "password": str(url.password or ""),
        "database": url.database or None,
        "connect_timeout": _seconds(given.get("connect_timeout", "10")),
    }
    if "tls_ca" in given:
        if not Path(given["tls_ca"]).is_file():
            raise InvalidRequest("tls_ca of the ClickHouse URL names no file of certificates.")
        options["ca_cert"] = given["tls_ca"]
    if "role" in given:
        options["settings"] = {"role": given["role"]}
    return options


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 600:
        raise InvalidRequest("connect_timeout of the ClickHouse URL is a number of seconds.")
    return int(text)
