"""SSRF guard: the URLs and network addresses that webhooks may go to.

One strict pattern reads a URL and refuses everything it does not know, so no second parser can
read the URL differently. A target is checked when the task is stored and again at each attempt,
and the connection goes to the very address that was checked.

Addresses are judged more narrowly than `ipaddress.is_global` does. That lets multicast, NAT64 and
6to4 through (measured on 3.11), and the last two each carry an IPv4 address that may be private.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from waybill.infra.config.notifications import DeniedHosts

#: Resolves a host name and port to addresses. Raises `OSError` when there is none.
Resolve = Callable[[str, int], Sequence[str]]

MAX_URL_CHARS = 2000
_PORTS = frozenset({443, 8443})
_DEFAULT_PORTS = {"https": 443, "http": 80}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: ASCII host; no user, fragment or backslash; no space or control character anywhere.
_URL = re.compile(
    rf"(?P<scheme>https?)://(?:(?P<name>{_LABEL}(?:\.{_LABEL})*)|\[(?P<v6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>(?:[/?][\x21-\x22\x24-\x5b\x5d-\x7e]*)?)"
)
#: The WHATWG URL standard reads a host whose last label looks like this as an IPv4 address.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)")

_V4_SPECIAL = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays, deprecated (RFC 7526)
        # Public by registration, but inside a cloud they are its own services, which trust every
        # machine there.
        "168.63.129.16/32",  # Azure: WireServer, DNS and health probes
        "161.26.0.0/16",  # IBM Cloud: services of the private network
        "166.8.0.0/14",  # IBM Cloud: endpoints of the private network
    )
)
#: Everything that IANA has assigned for unicast. NAT64, mapped, compatible, local and multicast
#: addresses lie outside.
_V6_UNICAST = ipaddress.IPv6Network("2000::/3")
_V6_SPECIAL = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments, Teredo among them (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4 (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
)


class BadWebhookUrl(ValueError):
    """A webhook may not go to this URL. The message says why and never contains the URL."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a webhook's URL. `path` includes the query and may contain a secret."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)

    @property
    def netloc(self) -> str:
        """Host and port in the form of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TargetRules:
    """The targets that an installation allows.

    `allow_private` is for development: it allows plain HTTP, every port and every address.
    `own_hosts` are the hosts of our own services. `denied` is what the operator excludes.
    """

    allow_private: bool = False
    own_hosts: frozenset[str] = frozenset()
    denied: DeniedHosts = field(default_factory=DeniedHosts)

    def parse(self, url: str) -> Target:
        """Read `url` and check everything that needs no look-up of its address.

        Raises:
            BadWebhookUrl: says what is wrong.
        """
        match = _URL.fullmatch(url) if len(url) <= MAX_URL_CHARS else None
        if match is None:
            raise BadWebhookUrl(
                "Not a plain https URL: ASCII only (a foreign name in its xn-- form), without"
                " user, fragment, backslash or trailing dot."
            )
        scheme, host = match["scheme"], _host(match)
        port = int(match["port"] or _DEFAULT_PORTS[scheme])
        if not self.allow_private:
            if scheme != "https":
                raise BadWebhookUrl("A webhook has to use https.")
            if port not in _PORTS:
                raise BadWebhookUrl("A webhook has to use port 443 or 8443.")
            if host in self.own_hosts:
                raise BadWebhookUrl("A webhook cannot call this service itself.")
        if port > 65_535 or self._denies_name(host):
            raise BadWebhookUrl("A webhook cannot go to this host or port.")
        path = match["path"]
        return Target(scheme, host, port, path if path.startswith("/") else f"/{path}")

    def addresses(self, target: Target, resolve: Resolve) -> list[str]:
        """The addresses of `target`, all of them allowed.

        One bad address refuses all: a name with a public and a private address is an attack.

        Raises:
            BadWebhookUrl: an address is not allowed.
            OSError: the host has no address.
        """
        found = list(dict.fromkeys(resolve(target.host, target.port)))
        if not found:
            raise OSError("no address")
        if not all(self._allows(address) for address in found):
            raise BadWebhookUrl("The host of a webhook must have public addresses only.")
        return found

    def _allows(self, address: str) -> bool:
        if not self.allow_private and not is_public(address):
            return False
        parsed = ipaddress.ip_address(address)
        return not any(parsed in network for network in self.denied.networks)

    def _denies_name(self, host: str) -> bool:
        return any(host == name or host.endswith(f".{name}") for name in self.denied.names)


def is_literal(host: str) -> bool:
    """Whether `host` is an address already, and no name to look up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Whether `address` is a public unicast address. Unreadable text is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        special = any(parsed in network for network in _V4_SPECIAL)
        return parsed.is_global and not parsed.is_multicast and not special
    special = any(parsed in network for network in _V6_SPECIAL)
    return parsed in _V6_UNICAST and not special


def system_resolve(host: str, port: int) -> list[str]:
    """The addresses of `host` by the system's resolver.

    Raises:
        OSError: there is none.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


def redacted(url: str) -> str:
    """`url` for logs and users, without its path: paths of such URLs are often secrets."""
    match = _URL.fullmatch(url)
    if match is None:
        return "…"
    port = f":{match['port']}" if match["port"] else ""
    host = match["name"] or f"[{match['v6']}]"
    return f"{match['scheme']}://{host.lower()}{port}/…"


def _host(match: re.Match[str]) -> str:
    """The host. Refuses numbers that only some programs read as an address."""
    name, v6 = match["name"], match["v6"]
    try:
        if v6:
            return str(ipaddress.IPv6Address(v6))
        if _NUMBER.fullmatch(name):
            return str(ipaddress.IPv4Address(name))
    except ValueError:
        raise BadWebhookUrl("The host is no name and no whole address.") from None
    return str(name).lower()
