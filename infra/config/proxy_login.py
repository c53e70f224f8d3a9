"""Settings of the login by a proxy in front of Waybill, which names the caller in headers."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, field_validator

from waybill.infra.config.value_types import OptionalText

#: A header's name. (RFC 9110, 5.1, without what no proxy uses.)
_HEADER = r"^[A-Za-z0-9-]{1,64}$"
HeaderName = Annotated[str, StringConstraints(pattern=_HEADER)]


class ProxyLoginSettings(BaseModel):
    """The part of `Settings` that is about it."""

    trusted_proxy_networks: str = Field(
        "",
        description="Addresses and networks, separated by commas, of proxies that log people in "
        "and name them in headers: `10.0.0.5,10.1.0.0/24`. From other addresses the headers are "
        "ignored. The proxy must drop the same headers when a client sends them. Default: none.",
    )
    proxy_user_header: HeaderName = Field(
        "Remote-User", description="Header of such a proxy with the user."
    )
    proxy_roles_header: HeaderName = Field(
        "Remote-Groups",
        description="Header with the roles, separated by commas; WAYBILL_ROLE_MAP translates them.",
    )
    proxy_email_header: HeaderName = Field(
        "Remote-Email", description="Header with the mail address, which the proxy has verified."
    )
    proxy_tenant_header: OptionalText = Field(
        None,
        pattern=_HEADER,
        description="Header with the tenant. Default: WAYBILL_PROXY_TENANT for all.",
    )
    proxy_tenant: str = Field(
        "default",
        min_length=1,
        max_length=255,
        description="Tenant of all who come by such a proxy, without WAYBILL_PROXY_TENANT_HEADER.",
    )

    @field_validator("trusted_proxy_networks")
    @classmethod
    def _each_is_a_network(cls, value: str) -> str:
        entries = [item.strip() for item in value.split(",") if item.strip()]
        for entry in entries:
            try:
                ip_network(entry)
            except ValueError:
                raise ValueError(
                    "must be addresses and networks such as 10.0.0.5,10.1.0.0/24"
                ) from None
        return ",".join(entries)

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of proxies that log people in."""
        entries = self.trusted_proxy_networks.split(",")
        return tuple(ip_network(entry) for entry in entries if entry)

    def is_login_proxy(self, address: str | None) -> bool:
        """Whether a connection from `address` is one of such a proxy."""
        try:
            found = ip_address(address or "")
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self.proxy_networks)
