"""A MySQL URL as arguments for the driver: what decides a value is ours, the rest the user's.

``charset=latin1`` once made a ``?`` of every emoji, and an unknown option was a traceback. So each
option is known by name; those that change how values arrive are passed over, as the session sets
them itself, and so are those that would let the server read files, or run a second statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from waybill.exporter.errors import InvalidRequest

#: Old servers call it utf8mb4 too; what MySQL calls utf8 has no emoji.
CHARSET = "utf8mb4"

_TRUTHS = {"1": True, "true": True, "yes": True, "on": True}
_TRUTHS |= {"0": False, "false": False, "no": False, "off": False}


def _truth(text: str) -> bool:
    return _TRUTHS[text.lower()]


def _seconds(text: str) -> int:
    seconds = int(text)
    if seconds <= 0:
        raise ValueError
    return seconds


def _existing(text: str) -> str:
    """A file the driver would otherwise pass over without a word."""
    if not Path(text).expanduser().is_file():
        raise ValueError
    return text


def _collation(text: str) -> str | None:
    """A collation of another character set would bring that set with it."""
    return text if text.startswith(f"{CHARSET}_") and text.isidentifier() else None


#: By the name in a URL: the driver's argument, and what makes one out of the text.
_TAKEN: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    **{
        name: (name, str)
        for name in (
            *("bind_address", "init_command", "program_name", "read_default_group"),
            *("sql_mode", "unix_socket"),
            *("ssl_ca", "ssl_cert", "ssl_key", "ssl_key_password"),
        )
    },
    **{name: (name, _seconds) for name in ("connect_timeout", "read_timeout", "write_timeout")},
    **{name: (name, _truth) for name in ("ssl_disabled", "ssl_verify_cert", "ssl_verify_identity")},
    "collation": ("collation", _collation),
    "max_allowed_packet": ("max_allowed_packet", int),
    "port": ("port", int),
    "read_default_file": ("read_default_file", _existing),
    "server_public_key": ("server_public_key", str.encode),
    "socket": ("unix_socket", str),
    # The driver's `ssl`, for which `waybill.infra.sources.mysql.tls` makes a context.
    "ssl": ("ssl", _truth),
    "ssl_check_hostname": ("ssl_verify_identity", _truth),
}

_PASSED_OVER = frozenset(
    {"autocommit", "charset", "client_flag", "local_infile", "use_unicode"}
    | {"binary_prefix", "use_pure", "characterEncoding", "useUnicode", "serverTimezone"}
)

#: ``ssl-mode`` as MySQL's own client and hosted databases have it, and as PostgreSQL's has it.
_SSL_MODES: Mapping[str, dict[str, Any]] = {
    "disabled": {"ssl_disabled": True},
    # The driver takes TLS when the server offers it, as the client does.
    "preferred": {},
    "required": {"ssl": True},
    "verify_ca": {"ssl_verify_cert": True},
    "verify_identity": {"ssl_verify_identity": True},
}
_OTHER_SSL_MODES = {
    "disable": "disabled",
    "allow": "preferred",
    "prefer": "preferred",
    "require": "required",
    "verify_full": "verify_identity",
}
_SSL_MODE_NAMES = frozenset({"ssl-mode", "ssl_mode", "sslmode"})


def connect_arguments(url: sa.URL) -> dict[str, Any]:
    """What to connect with.

    Raises:
        InvalidRequest: an unknown option, or a value it cannot have; said without the value,
            which may be a password.
    """
    arguments: dict[str, Any] = {
        "host": url.host,
        "port": url.port or 0,
        "user": url.username,
        # As bytes: of a text the driver would make Latin-1, which not every password can be.
        "password": str(url.password or "").encode(),
        "database": url.database or None,
    }
    for name, value in url.query.items():
        if name not in _PASSED_OVER:
            arguments |= _argument(name, value if isinstance(value, str) else value[-1])
    return {**arguments, "charset": CHARSET, "use_unicode": True}


def _argument(name: str, text: str) -> dict[str, Any]:
    try:
        if name in _SSL_MODE_NAMES:
            mode = text.lower().replace("-", "_")
            return _SSL_MODES[_OTHER_SSL_MODES.get(mode, mode)]
        if name == "host":
            return _host(text)
        argument, parse = _TAKEN[name.replace("-", "_")]
    except KeyError:
        raise InvalidRequest(_unknown(name)) from None
    try:
        return {argument: parse(text)}
    except (KeyError, ValueError):
        raise InvalidRequest(
            f"The option {name!r} of the MySQL URL has a value that it cannot have."
        ) from None


def _host(text: str) -> dict[str, Any]:
    """A host among the options, where PostgreSQL's URLs have it; a path is that of a socket."""
    if "," in text:
        raise InvalidRequest("A MySQL URL names one host.")
    return {"unix_socket": text} if text.startswith("/") else {"host": text}


def _unknown(name: str) -> str:
    if name in _SSL_MODE_NAMES:
        return f"The option {name!r} of the MySQL URL is one of {', '.join(_SSL_MODES)}."
    near = get_close_matches(name, [*_TAKEN, *_PASSED_OVER, "ssl-mode"], n=1)
    remedy = f"; did you mean {near[0]!r}?" if near else "."
    return f"The MySQL URL has an option that is not known: {name!r}{remedy}"
