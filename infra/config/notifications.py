"""Settings of webhooks, mails and notifications, and the values they are read into."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator

from waybill.infra.config.value_types import (
    Days,
    Delays,
    OptionalSecret,
    OptionalText,
    PerPeriod,
    comma_separated,
    mail_domain,
)

SECRET_PREFIX = "whsec_"  # noqa: S105 - marks a secret, and is none
#: Standard Webhooks 1.0 allows secrets of 24 to 64 bytes.
_MIN_SECRET_BYTES, _MAX_SECRET_BYTES = 24, 64
_MAIL_PORTS = {"smtp": 25, "starttls": 587, "smtps": 465}
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class NotificationSettings(BaseModel):
    """The part of `Settings` that is about notifications."""

    notify_retry_delays: Delays = Field(
        tuple(timedelta(seconds=n) for n in (5, 300, 1800, 7200, 18000, 36000)),
        description="Seconds before the second, third … attempt to deliver a webhook or mail. "
        "After the last attempt Waybill gives up.",
    )
    notification_retention: Days = Field(
        timedelta(days=30),
        ge=timedelta(days=1),
        le=timedelta(days=3650),
        validation_alias="WAYBILL_NOTICE_DAYS",
        description="Days after which notices and delivery logs are deleted.",
    )
    max_webhooks_per_minute: PerPeriod = Field(
        600,
        description="Webhooks to one host at once, and again in each further minute; the others "
        "wait. 0: no limit.",
    )
    max_mails_per_hour: PerPeriod = Field(
        30,
        description="Mails to one mailbox at once, and again in each further hour; the others are "
        "merged into one. 0: no limit.",
    )
    webhook_secrets: OptionalSecret = Field(
        None,
        description="`whsec_…` with 24 to 64 bytes; several, separated by commas, during a "
        "rotation. Default: derived from WAYBILL_JWT_SECRET; without a secret that all processes "
        "share, webhooks are refused.",
    )
    webhook_denied: str = Field(
        "",
        description="Host names (with their subdomains) and networks that webhooks may not "
        "reach, separated by commas.",
    )
    webhook_allow_private: bool = Field(
        False,
        description="For development only: allow webhooks over plain HTTP, to any port and "
        "address.",
    )
    smtp_url: OptionalSecret = Field(
        None,
        description="Mail server: `smtps://user:password@host:465`, `starttls://…:587` or "
        "`smtp://…:25` without a password. Default: no mail.",
    )
    smtp_from: OptionalText = Field(None, description="Sender of mails: a plain address.")
    mail_domains: str = Field(
        "",
        description="Domains, separated by commas, to whose addresses everybody may have mails "
        "sent. The `email` in a user's own token is always allowed.",
    )

    @field_validator("webhook_secrets")
    @classmethod
    def _are_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_secrets(value.get_secret_value())
        return value

    @field_validator("webhook_denied")
    @classmethod
    def _are_names_and_networks(cls, value: str) -> str:
        DeniedHosts.parse(value)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            MailServer.parse(value.get_secret_value())
        return value

    @field_validator("smtp_from")
    @classmethod
    def _is_a_plain_address(cls, value: str | None) -> str | None:
        if value is not None and mail_domain(value) is None:
            raise ValueError("must be a plain address such as exports@example.com")
        return value

    @field_validator("mail_domains")
    @classmethod
    def _are_domains(cls, value: str) -> str:
        if not all(mail_domain(f"x@{name}") for name in comma_separated(value)):
            raise ValueError("must be domains separated by commas")
        return value


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that takes our mail, and how the connection to it is protected."""

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
            ValueError: the URL has another form, or would send a password in the clear.
        """
        parts = urlsplit(url)
        extra = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme not in _MAIL_PORTS or not parts.hostname or extra:
            raise ValueError("must be smtp://, starttls:// or smtps://, a host and maybe a port")
        if parts.password is not None and parts.scheme == "smtp":
            raise ValueError("would send the password in the clear; use starttls:// or smtps://")
        return cls(
            parts.hostname,
            parts.port or _MAIL_PORTS[parts.scheme],
            parts.scheme,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password is not None else None,
        )


@dataclass(frozen=True, slots=True)
class DeniedHosts:
    """Host names, each with its subdomains, and networks that webhooks may not reach."""

    names: tuple[str, ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> DeniedHosts:
        """Read a comma-separated list; ``*.example.com`` means ``example.com``.

        Raises:
            ValueError: an entry is neither a name nor a network.
        """
        names, networks = [], []
        for entry in comma_separated(text):
            try:
                networks.append(ip_network(entry))
            except ValueError:
                name = entry.removeprefix("*").strip(".")
                if not _HOST_NAME.fullmatch(name):
                    raise ValueError("must be names and networks separated by commas") from None
                names.append(name)
        return cls(tuple(names), tuple(networks))


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The keys in ``whsec_…,whsec_…``, the current one first.

    Raises:
        ValueError: an entry is not such a secret. The message does not repeat it.
    """
    return tuple(_parse_secret(item.strip()) for item in text.split(","))


def _parse_secret(text: str) -> bytes:
    try:
        if not text.startswith(SECRET_PREFIX):
            raise ValueError
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"must be {SECRET_PREFIX} and base64, separated by commas") from None
    if not _MIN_SECRET_BYTES <= len(key) <= _MAX_SECRET_BYTES:
        raise ValueError(f"must hold {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES} bytes each")
    return key
