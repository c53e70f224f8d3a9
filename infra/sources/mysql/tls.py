"""TLS to a MySQL server as its URL asks for it, checked as it says.

The driver checks no host's name unless the URL names a file of authorities, and no certificate
when it names nothing but that file. So the context is made here.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: What the context is made of, by the names of the driver's arguments.
_PARTS = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_key_password", "ssl_verify_cert")
_IDENTITY = "ssl_verify_identity"

#: What is said of a certificate that was refused.
UNTRUSTED = (
    "The certificate at the address of the source URL is not trusted, or is for another name:"
    " see ssl_ca and ssl-mode."
)


def with_tls(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The driver's arguments, with one context in place of those about certificates.

    Without any of those the driver takes TLS where the server offers it. A file of authorities
    (`ssl_ca`) is what the server's certificate is checked against, unless `ssl_verify_cert` is
    false; without one, those of the system are.

    Raises:
        OSError: a file that cannot be read, or is no certificate or key (`ssl.SSLError`).
    """
    chosen = {name: value for name, value in arguments.items() if not name.startswith("ssl")}
    if arguments.get("ssl_disabled") or arguments.get("ssl") is False:
        return {**chosen, "ssl_disabled": True}
    wanted = (arguments.get(name) for name in ("ssl", _IDENTITY, *_PARTS))
    return {**chosen, "ssl": _context(arguments)} if any(wanted) else chosen


def _context(arguments: Mapping[str, Any]) -> ssl.SSLContext:
    authorities, certificate, key, password, checks = (arguments.get(name) for name in _PARTS)
    is_checked = authorities is not None if checks is None else checks
    context = ssl.create_default_context(cafile=authorities and Path(authorities).expanduser())
    # Python 3.13 demands of certificates what those that MySQL makes for itself do not have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = bool(arguments.get(_IDENTITY))
    if not context.check_hostname:
        context.verify_mode = ssl.CERT_REQUIRED if is_checked else ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key, password)
    return context


def refused_certificate(error: Exception) -> bool:
    """Whether the driver's `error` is one of TLS, which it calls a host that is not there."""
    return isinstance(getattr(error, "original_exception", None), ssl.SSLError)
