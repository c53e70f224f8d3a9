"""Addresses of S3 servers: which ones are accepted, and what is wrong with the others."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

#: A bucket whose name can be a part of a host name, under a certificate for ``*.host`` too.
#: (AWS, "General purpose bucket naming rules", and "Virtual hosting": no dots with HTTPS.)
_BUCKET_IN_HOST = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


def check_endpoint(url: str) -> str:
    """Return `url`, the address of an S3 server, without a slash at its end.

    A path is accepted: some gateways serve S3 below one.

    Raises:
        ValueError: it is no such address. The message says which part is wrong, and repeats none.
    """
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_valid = urlsplit(""), False
    wrong = {
        "its port or host is not valid": not port_is_valid,
        "it does not begin with http:// or https://": parts.scheme not in {"http", "https"},
        "it has no host": not parts.hostname,
        "it holds a user name; keys have settings of their own": "@" in parts.netloc,
        "it has a query or a fragment": bool(parts.query or parts.fragment),
    }
    for problem, is_so in wrong.items():
        if is_so:
            raise ValueError(f"not the address of an S3 server: {problem}")
    return url.rstrip("/")


def check_virtual_addressing(bucket: str, *urls: str | None) -> None:
    """Check that `bucket` can be a part of the host names of `urls`.

    Raises:
        ValueError: its name, or an address in place of a host name, does not allow that.
    """
    if not _BUCKET_IN_HOST.fullmatch(bucket):
        raise ValueError(
            "virtual addressing puts the bucket into the host name, so its name can only have "
            "lower-case letters, digits and hyphens"
        )
    if any(url is not None and _address(url) is not None for url in urls):
        raise ValueError("virtual addressing needs an endpoint with a host name, not an IP address")


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is this machine, whichever machine that is."""
    address = _address(url)
    if address is not None:
        return address.is_loopback
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.endswith(".localhost")


def _address(url: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return None
