"""Where a webhook may go: the one place that stands between a user's URL and our network.

A URL is read by one strict pattern, and what the pattern does not know is refused: no
parser ever reads it in another way. A target is checked when a task is stored and again
whenever it is sent to, and the connection then goes to the very address that was checked.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from waybill.infra.config.notifications import DeniedHosts
from waybill.infra.notifications.addresses import is_public

#: Turns a name into addresses. Raises `OSError` when there is none.
Resolve = Callable[[str, int], Sequence[str]]

MAX_URL_CHARS = 2000
_PORTS = frozenset({443, 8443})
_DEFAULT_PORTS = {"https": 443, "http": 80}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: Host in ASCII, no user, no fragment, no backslash, no blank or control character anywhere.
_URL = re.compile(
    rf"(?P<scheme>https?)://(?:(?P<name>{_LABEL}(?:\.{_LABEL})*)|\[(?P<v6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>(?:[/?][\x21-\x22\x24-\x5b\x5d-\x7e]*)?)"
)
#: The WHATWG URL standard reads a host whose last label looks like this as an IPv4 address.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)")


class BadWebhookUrl(ValueError):
    """A webhook cannot go there. The text says why, and never holds the URL."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address of a webhook, taken apart. `path` has the query and may hold a secret."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)

    @property
    def netloc(self) -> str:
        """Host and port as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TargetRules:
    """What an installation allows.

    `allow_private` is for development: it lets in plain HTTP, every port and every address.
    `own_hosts` are names of our own services, `denied` names (with all names below them) and
    networks that an operator wants nobody to reach.
    """

    allow_private: bool = False
    own_hosts: frozenset[str] = frozenset()
    denied: DeniedHosts = field(default_factory=DeniedHosts)

    def parse(self, url: str) -> Target:
        """Read `url`, and judge all of it that can be judged without asking for its address.

        Raises:
            BadWebhookUrl: with what is wrong, never with the URL.
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
        """The addresses of `target`, every one of them allowed.

        One bad answer refuses all: a name with a public and a private address is an attack.

        Raises:
            BadWebhookUrl: an address is not allowed.
            OSError: the name has no address.
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


def system_resolve(host: str, port: int) -> list[str]:
    """The addresses the system's resolver gives for `host`.

    Raises:
        OSError: it gives none.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


def shown(url: str) -> str:
    """A webhook's URL as logs and people see it: paths of such URLs are often secrets."""
    match = _URL.fullmatch(url)
    if match is None:
        return "…"
    port = f":{match['port']}" if match["port"] else ""
    host = match["name"] or f"[{match['v6']}]"
    return f"{match['scheme']}://{host.lower()}{port}/…"


def _host(match: re.Match[str]) -> str:
    """The host; numbers that only some programs read as an address are refused (R22)."""
    name, v6 = match["name"], match["v6"]
    try:
        if v6:
            return str(ipaddress.IPv6Address(v6))
        if _NUMBER.fullmatch(name):
            return str(ipaddress.IPv4Address(name))
    except ValueError:
        raise BadWebhookUrl("The host is no name and no whole address.") from None
    return str(name).lower()
