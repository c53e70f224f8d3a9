"""Hosts in the addresses of settings, and whether they are this machine itself."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

from waybill.infra.config.database_urls import standard_url


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine and no other can reach it. No name is looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of `0.0.0.0:9100`, `[::1]:9100` or `localhost:9100`.

    Raises:
        ValueError: not such an address.
    """
    parts = urlsplit(f"//{address}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if not parts.hostname or port is None or parts.netloc != address or "@" in address:
        raise ValueError("must be a host and a port, such as 0.0.0.0:9100")
    return parts.hostname, port


def leaves_machine(url: str | None) -> bool:
    """Whether `url` leads to another machine. A socket's folder and SQLite's file do not."""
    return any(not is_loopback(host) for host in _hosts(url or ""))


def password_of(url: str) -> str | None:
    """The password in `url`, without its escapes."""
    password = urlsplit(standard_url(url)).password
    return None if password is None else unquote(password)


def _hosts(url: str) -> list[str]:
    if url.lower().startswith("sqlite"):
        return []
    parts = urlsplit(standard_url(url))
    several = ",".join(parse_qs(parts.query).get("host", []))
    hosts = several.split(",") if several else [parts.hostname or ""]
    return [host for host in hosts if host and not host.startswith("/")]
