"""The mail server of an installation, and which addresses are plain enough to be mailed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PORTS = {"smtp": 25, "starttls": 587, "smtps": 465}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
#: RFC 5321's dot-string in ASCII. No quoted strings, comments, lists, blanks or line ends.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@)({_ATOM}(?:\.{_ATOM})*)@({_DOMAIN})")
MAX_ADDRESS_CHARS = 254


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and how the connection is protected."""

    host: str
    port: int
    #: ``smtp``: in the clear; ``starttls``: TLS or nothing; ``smtps``: TLS from the start.
    scheme: str
    user: str | None
    password: str | None = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Read ``smtps://user:password@host:port``.

        Raises:
            ValueError: it is no such URL, or would send a password in the clear.
        """
        parts = urlsplit(url)
        extra = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme not in _PORTS or not parts.hostname or extra:
            raise ValueError("must be smtp://, starttls:// or smtps://, a host and maybe a port")
        if parts.password is not None and parts.scheme == "smtp":
            raise ValueError("would send the password in the clear; use starttls:// or smtps://")
        return cls(
            parts.hostname,
            parts.port or _PORTS[parts.scheme],
            parts.scheme,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password is not None else None,
        )


def domain_of(address: str) -> str | None:
    """The domain of a plain mail address in lower case; None when it is no such address."""
    match = _ADDRESS.fullmatch(address) if len(address) <= MAX_ADDRESS_CHARS else None
    return match[2].lower() if match else None
