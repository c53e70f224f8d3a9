"""Own origin: whether a page of ours made a browser send an unsafe request.

A browser states it in `Sec-Fetch-Site` and `Origin`, which no page can set. `Host` alone does not
decide: proxies rewrite it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from waybill.infra.config.addresses import is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443}


class _Origin(NamedTuple):
    """Scheme, host in lower case, and port, a default one included. (RFC 6454, 4.)"""

    scheme: str
    host: str
    port: int


def is_own_origin(headers: Mapping[str, str], public_url: str | None) -> bool:
    """Whether the sender of an unsafe request is a page of ours.

    It is if the browser says so (`Sec-Fetch-Site: same-origin`), or else if `Origin` is that of
    `public_url` or the host that the request was sent to. The scheme of the latter is unknown,
    because a proxy may have terminated TLS. Browsers send `Sec-Fetch-Site` over HTTPS and to
    localhost only.
    """
    site = headers.get("sec-fetch-site", "").strip().lower()
    if site in ("cross-site", "same-site"):
        return False
    if site == "same-origin":
        return True
    sender = _origin(headers.get("origin", ""))
    if sender is None:
        return False
    if public_url and sender == _origin(public_url):
        return True
    return sender == _origin(f"{sender.scheme}://{headers.get('host', '')}")


def sent_over_tls(headers: Mapping[str, str], public_url: str | None) -> bool:
    """Whether the page that sent the request was reached over HTTPS, as its browser sees it.

    Behind a proxy, the request itself may be plain HTTP.
    """
    sender = _origin(headers.get("origin", "")) or _origin(public_url or "")
    return sender is not None and sender.scheme == "https"


def in_secure_context(headers: Mapping[str, str], public_url: str | None) -> bool:
    """Whether the page that sent the request is a secure context: over HTTPS, or on loopback.

    Elsewhere browsers ignore some headers, and complain. (W3C Secure Contexts, 3.1)
    """
    sender = _origin(headers.get("origin", ""))
    if sender is not None and is_loopback(sender.host):
        return True
    return sent_over_tls(headers, public_url)


def same_origin(first: str, second: str) -> bool:
    """Whether two addresses have the same, valid origin."""
    origin = _origin(first)
    return origin is not None and origin == _origin(second)


def _origin(address: str) -> _Origin | None:
    """The origin of an address; None for one that has no such origin, such as `null`."""
    try:
        parts = urlsplit(address)
        default = _DEFAULT_PORTS.get(parts.scheme)
        port = parts.port
    except ValueError:
        return None
    if default is None or not parts.hostname or parts.username is not None:
        return None
    return _Origin(parts.scheme, parts.hostname, default if port is None else port)
