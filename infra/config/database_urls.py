"""Database URLs in the spellings people have, made into the one spelling that SQLAlchemy reads.

Providers hand out ``postgres://``, tools write ``PostgreSQL://``, libpq takes several hosts and a
socket folder where the host is, and passwords are pasted as they are. `standard_url` is text to
text, so that the task database and the sources, which do not know each other, read alike.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

#: Names of a kind of database that SQLAlchemy does not know, or knows no more.
_SCHEMES = {"postgres": "postgresql", "pgsql": "postgresql"}

#: Databases that are a file, whose path is no host.
_FILES = frozenset({"duckdb", "sqlite"})

#: The password ends at the first ``@`` that hosts can follow, so an ``@``, ``/`` or ``?`` inside it
#: does no harm; and one in an option's value is not taken for its end.
_NETWORK_URL = re.compile(
    r"""
    (?: (?P<user> [^:/?@]* ) (?: : (?P<password> .*? ) )? @ )?
    (?P<hosts> [^/?@]* )
    (?: / (?P<database> [^?@]* ) )?
    (?: \? (?P<options> .* ) )?
    """,
    re.VERBOSE | re.DOTALL,
)
_HOST = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]*))?")


def standard_url(url: str) -> str:
    """`url` as SQLAlchemy reads it; what is no URL of a database comes back as it is.

    The scheme is in lower case, PostgreSQL is ``postgresql``, special characters in user and
    password are escaped, and several hosts, or one with a ``/`` (a socket's folder), stand in the
    options ``host`` and ``port``.

    Raises:
        ValueError: a host or a port cannot be one.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator:
        return url
    backend, plus, driver = scheme.lower().partition("+")
    scheme = _SCHEMES.get(backend, backend) + plus + driver
    parts = _NETWORK_URL.fullmatch(rest)
    if backend in _FILES or parts is None:
        return f"{scheme}://{rest}"
    user, password, hosts = parts["user"], parts["password"], parts["hosts"]
    options = parts["options"]
    login = ""
    if user is not None:
        login = _escaped(user) + (f":{_escaped(password)}" if password is not None else "") + "@"
    if "," in hosts or "%2f" in hosts.lower():
        several = _hosts_as_options(hosts)
        hosts, options = "", f"{options}&{several}" if options else several
    database = f"/{parts['database']}" if parts["database"] is not None else ""
    return f"{scheme}://{login}{hosts}{database}" + (f"?{options}" if options else "")


def _escaped(text: str) -> str:
    return quote(text, safe="%")


def _hosts_as_options(hosts: str) -> str:
    names, ports = [], []
    for text in hosts.split(","):
        host = _HOST.fullmatch(text)
        if host is None:
            raise ValueError
        names.append(host["address"] or unquote(host["name"] or ""))
        ports.append(host["port"] or "")
    options = f"host={quote(','.join(names), safe=',/:')}"
    return f"{options}&port={','.join(ports)}" if any(ports) else options
