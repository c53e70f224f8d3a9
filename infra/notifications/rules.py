"""Rules for the `notify` of a request: who may be notified through which channel."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.notifications import DeniedHosts, parse_secrets
from waybill.infra.config.settings import Settings
from waybill.infra.config.value_types import comma_separated, mail_domain
from waybill.infra.notifications.lookups import Lookups
from waybill.infra.notifications.signing import Signer
from waybill.infra.notifications.stored_targets import StoredTargets
from waybill.infra.notifications.webhook_targets import (
    BadWebhookUrl,
    Resolve,
    TargetRules,
    is_literal,
    system_resolve,
)

Channel = Literal["webhook", "email"]


class BadNotificationTarget(InvalidRequest):
    """The request names a webhook or mail address that cannot or may not be notified."""

    code = "bad_notify"

    def __init__(self, channel: Channel = "webhook", message: str | None = None) -> None:
        super().__init__(message)
        self.channel = channel


def build_signer(settings: Settings) -> Signer | None:
    """The signer of webhooks; None when the processes share no secret to sign with."""
    if settings.webhook_secrets:
        return Signer(parse_secrets(settings.webhook_secrets.get_secret_value()))
    # The secret that Waybill makes for itself is shared only where there is a single process.
    single_process = settings.amqp_url is None
    if settings.jwks_url or not (settings.jwt_secret or single_process):
        return None
    return Signer([settings.derived_key("webhooks")])


def target_rules(settings: Settings) -> TargetRules:
    """The targets that webhooks of this installation may have."""
    own_urls = (
        settings.public_url,
        settings.s3_endpoint_url,
        settings.s3_public_endpoint_url,
        settings.jwks_url,
        settings.task_database_url,
        settings.rows_database_url,
        *settings.broker_urls,
    )
    return TargetRules(
        allow_private=settings.webhook_allow_private,
        own_hosts=frozenset(filter(None, (urlsplit(url or "").hostname for url in own_urls))),
        denied=DeniedHosts.parse(settings.webhook_denied),
    )


class NotificationRules:
    """Checks the `notify` of a request when its task is stored."""

    def __init__(
        self,
        settings: Settings,
        resolve: Resolve = system_resolve,
        lookups: Lookups | None = None,
    ) -> None:
        self.signer = build_signer(settings)
        self._targets = target_rules(settings)
        self._resolve = resolve
        self._lookups = lookups or Lookups()
        self._sends_mail = settings.smtp_url is not None and settings.smtp_from is not None
        self._mail_domains = frozenset(comma_separated(settings.mail_domains))

    def check(self, tenant: str, notify: Mapping[str, str], own_address: str | None) -> None:
        """Check the target of each channel. `own_address` is that of the caller's token.

        The host of a webhook is looked up, so that a wrong one is refused at once. When its name
        server does not answer in time, the check is left to each attempt to deliver.

        Raises:
            BadNotificationTarget: with the channel and what is wrong with it.
        """
        if "webhook" in notify:
            self._check_webhook(tenant, notify["webhook"])
        if "email" in notify:
            self._check_email(notify["email"], own_address)

    def stored(self, notify: Mapping[str, str]) -> dict[str, str]:
        """The checked targets of a request as its task holds them: no secret path in plain text."""
        if self.signer is None:
            return dict(notify)
        return StoredTargets(self.signer.master_keys).seal(notify)

    def _check_webhook(self, tenant: str, url: str) -> None:
        if self.signer is None:
            raise BadNotificationTarget(
                "webhook", "This installation has no secret to sign webhooks with."
            )
        try:
            target = self._targets.parse(url)
            if is_literal(target.host):
                self._targets.addresses(target, lambda host, _port: [host])
            else:
                self._lookups.run(tenant, partial(self._targets.addresses, target, self._resolve))
        except BadWebhookUrl as error:
            raise BadNotificationTarget("webhook", str(error)) from None
        except OSError as error:
            if error.errno == socket.EAI_AGAIN:
                # The name server's own trouble, now.
                return
            raise BadNotificationTarget(
                "webhook", "The host of the webhook cannot be found."
            ) from None

    def _check_email(self, address: str, own_address: str | None) -> None:
        if not self._sends_mail:
            raise BadNotificationTarget("email", "This installation sends no mail.")
        domain = mail_domain(address)
        if domain is None:
            raise BadNotificationTarget("email", "This is not a plain mail address.")
        if not _same(address, own_address) and domain not in self._mail_domains:
            raise BadNotificationTarget(
                "email", "Only your own address and allowed domains may be mailed."
            )


def _same(address: str, own: str | None) -> bool:
    """Whether both are one mailbox. Mail servers ignore case, although they need not."""
    return own is not None and address.lower() == own.lower()
