"""What `waybill doctor` says of proxies that log people in."""

from __future__ import annotations

from waybill.infra.bootstrap import Stack
from waybill.infra.config.errors import BadSettings

#: A network this wide is most of the internet: /8 holds 16 million addresses.
_WIDEST_IPV4, _WIDEST_IPV6 = 8, 16


def check_proxy_login(stack: Stack) -> str:
    """Which headers count, and from where."""
    settings = stack.settings
    if not settings.proxy_networks:
        return "none"
    for network in settings.proxy_networks:
        widest = _WIDEST_IPV4 if network.version == 4 else _WIDEST_IPV6
        if network.prefixlen < widest:
            raise BadSettings(
                f"WAYBILL_TRUSTED_PROXY_NETWORKS: {network} is nearly everybody, and they may call "
                f"themselves anybody with the header {settings.proxy_user_header}. Name the proxy."
            )
    headers = f"{settings.proxy_user_header} and {settings.proxy_roles_header}"
    return f"headers {headers} of {settings.trusted_proxy_networks}"
