"""Rules for the `notify` of a request: who may be notified through which channel."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.notifications import DeniedHosts, parse_secrets
from waybill.infra.config.settings import Settings
from waybill.infra.config.value_types import comma_separated, mail_domain
from waybill.infra.notifications.lookups import Lookups
from waybill.infra.notifications.opt_outs import MailOptOuts
from waybill.infra.notifications.signing import Signer
from waybill.infra.notifications.stored_targets import StoredTargets
from waybill.infra.notifications.webhook_targets import (
    BadWebhookUrl,
    Resolve,
    TargetRules,
    is_literal,
    system_resolve,
)
from waybill.infra.tasks.notifications import (
    EMAIL,
    MAIL_LANGUAGE,
    OWN_EMAIL,
    SHARE_LINK,
    WEBHOOK,
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


def mail_domains(settings: Settings) -> frozenset[str]:
    """The domains to whose addresses everybody may have mails sent."""
    return frozenset(comma_separated(settings.mail_domains))


class NotificationRules:
    """Checks the `notify` of a request when its task is stored."""

    def __init__(
        self,
        settings: Settings,
        resolve: Resolve = system_resolve,
        lookups: Lookups | None = None,
        opt_outs: MailOptOuts | None = None,
    ) -> None:
        """Without `opt_outs`, they are judged only when a mail is sent."""
        self.signer = build_signer(settings)
        self._targets = target_rules(settings)
        self._resolve = resolve
        self._lookups = lookups or Lookups()
        #: Whether a mail server is set up.
        self.sends_mail = settings.smtp_url is not None and settings.smtp_from is not None
        self._mail_domains = mail_domains(settings)
        self._opt_outs = opt_outs

    @property
    def webhook_keys(self) -> Sequence[bytes]:
        """The secrets that webhooks are signed with; none when the processes share none."""
        return self.signer.master_keys if self.signer else ()

    def check(self, tenant: str, notify: Mapping[str, str], own_address: str | None) -> None:
        """Check the target of each channel. `own_address` is that of the caller's token.

        The host of a webhook is looked up, so that a wrong one is refused at once. When its name
        server does not answer in time, the check is left to each attempt to deliver.

        Raises:
            BadNotificationTarget: with the channel and what is wrong with it.
        """
        if WEBHOOK in notify:
            if self.signer is None:
                raise BadNotificationTarget(
                    "webhook", "This installation has no secret to sign webhooks with."
                )
            self._check_webhook(tenant, notify[WEBHOOK], may_be_unknown=False)
        if EMAIL in notify:
            self._check_email(notify[EMAIL], own_address)

    def stored(
        self, notify: Mapping[str, str], own_address: str | None, language: str | None = None
    ) -> dict[str, str]:
        """The checked targets of a request as its task holds them.

        No secret path is in plain text, and the caller's own address is marked as such. Mails are
        in `language`.
        """
        targets = dict(notify)
        if EMAIL in targets and language:
            targets[MAIL_LANGUAGE] = language
        if EMAIL in targets and _same(targets[EMAIL], own_address):
            targets[OWN_EMAIL] = targets.pop(EMAIL)
        if self.signer is None:
            return targets
        return StoredTargets(self.signer.master_keys).seal(targets)

    def check_again(
        self, tenant: str, stored: Mapping[str, str], own_address: str | None
    ) -> dict[str, str]:
        """Check the targets of an earlier task as `stored` made them; returns those of its copy.

        What an operator has switched off meanwhile, or a host without an address, does not stop
        the export: the deliveries say so. `own_address` is None where the owner is not the caller.

        Raises:
            BadNotificationTarget: as `check`.
        """
        targets = dict(stored)
        # It leads to the earlier task.
        targets.pop(SHARE_LINK, None)
        if WEBHOOK in targets:
            # Encrypted or not, the path does not matter here.
            self._check_webhook(tenant, targets[WEBHOOK], may_be_unknown=True)
        if OWN_EMAIL in targets and own_address and not _same(targets[OWN_EMAIL], own_address):
            targets[EMAIL] = targets.pop(OWN_EMAIL)
        if EMAIL in targets:
            if self.sends_mail:
                self._check_email(targets[EMAIL], own_address)
            if _same(targets[EMAIL], own_address):
                targets[OWN_EMAIL] = targets.pop(EMAIL)
        return targets

    def _check_webhook(self, tenant: str, url: str, *, may_be_unknown: bool) -> None:
        try:
            target = self._targets.parse(url)
            if is_literal(target.host):
                self._targets.addresses(target, lambda host, _port: [host])
            else:
                self._lookups.run(tenant, partial(self._targets.addresses, target, self._resolve))
        except BadWebhookUrl as error:
            raise BadNotificationTarget("webhook", str(error)) from None
        except OSError as error:
            if may_be_unknown or error.errno == socket.EAI_AGAIN:
                # The name server's own trouble, now.
                return
            raise BadNotificationTarget(
                "webhook", "The host of the webhook cannot be found."
            ) from None

    def _check_email(self, address: str, own_address: str | None) -> None:
        if not self.sends_mail:
            raise BadNotificationTarget("email", "This installation sends no mail.")
        domain = mail_domain(address)
        if domain is None:
            raise BadNotificationTarget("email", "This is not a plain mail address.")
        if _same(address, own_address):
            return
        if domain not in self._mail_domains:
            raise BadNotificationTarget(
                "email", "Only your own address and allowed domains may be mailed."
            )
        if self._opt_outs is not None and self._opt_outs.contains(address):
            raise BadNotificationTarget(
                "email", "The owner of this address wants no mails that others ask for."
            )


def _same(address: str, own: str | None) -> bool:
    """Whether both are one mailbox. Mail servers ignore case, although they need not."""
    return own is not None and address.lower() == own.lower()
