"""Which network addresses belong to the public internet, judged more narrowly than Python does.

`ipaddress.is_global` lets multicast, NAT64 and 6to4 through (measured on 3.11), and each of
the last two carries an IPv4 address that may be a private one.
"""

from __future__ import annotations

import ipaddress

_V4_SPECIAL = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays, deprecated (RFC 7526)
    )
)
#: All that IANA has given out for unicast. NAT64, mapped, compatible, local and multicast
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


def is_public(address: str) -> bool:
    """Whether `address` is a public unicast address. What cannot be read is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        special = any(parsed in network for network in _V4_SPECIAL)
        return parsed.is_global and not parsed.is_multicast and not special
    special = any(parsed in network for network in _V6_SPECIAL)
    return parsed in _V6_UNICAST and not special
