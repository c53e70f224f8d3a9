"""Settings of webhooks, mail and notices, mixed into `Settings`."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field, SecretStr, field_validator

from waybill.infra.config.types import Delays, OptionalSecret, OptionalText, ladder
from waybill.infra.notifications.mail_server import MailServer, domain_of
from waybill.infra.notifications.signing import parse_secrets
from waybill.infra.notifications.targets import parse_denied


class NoticeSettings(BaseModel):
    """How people are told that an export has ended."""

    notify_retry_delays: Delays = Field(
        "5,300,1800,7200,18000,36000",
        description="Seconds before the second, third … try of a webhook or mail. After the "
        "last one it is given up.",
    )
    notice_days: int = Field(
        30, ge=1, le=3650, description="Notices and delivery logs are deleted after this."
    )
    webhook_secrets: OptionalSecret = Field(
        None,
        description="`whsec_…` of 24 to 64 bytes; several, separated by commas, while they are "
        "rotated. Default: derived from WAYBILL_JWT_SECRET; no webhooks where processes have "
        "none in common.",
    )
    webhook_denied: str = Field(
        "",
        description="Names (with all below them) and networks that no webhook may go to, "
        "separated by commas.",
    )
    webhook_allow_private: bool = Field(
        False,
        description="For development only: webhooks over plain HTTP, to any port and address.",
    )
    smtp_url: OptionalSecret = Field(
        None,
        description="Mail server: `smtps://user:password@host:465`, `starttls://…:587` or "
        "`smtp://…:25` without a password. Default: no mail.",
    )
    smtp_from: OptionalText = Field(None, description="Sender of mails: a plain address.")
    mail_domains: str = Field(
        "",
        description="Domains, separated by commas, whose addresses anybody may have mailed. "
        "Everybody may name the `email` of their own token.",
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
        parse_denied(value)
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
        if value is not None and domain_of(value) is None:
            raise ValueError("must be a plain address such as exports@example.com")
        return value

    @field_validator("mail_domains")
    @classmethod
    def _are_domains(cls, value: str) -> str:
        if not all(domain_of(f"x@{name}") for name in listed(value)):
            raise ValueError("must be domains separated by commas")
        return value

    @property
    def notify_ladder(self) -> tuple[timedelta, ...]:
        """The delays before the second, third … try of a notification."""
        return ladder(self.notify_retry_delays)


def listed(text: str) -> list[str]:
    """The entries of a comma-separated setting, in lower case."""
    return [item.strip().lower() for item in text.split(",") if item.strip()]
