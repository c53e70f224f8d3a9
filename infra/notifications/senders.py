"""The ways of telling people that the settings allow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from waybill.infra.config.notifications import MailServer
from waybill.infra.config.settings import Settings
from waybill.infra.notifications.delivery import AT_ONCE, Sender
from waybill.infra.notifications.mail import MailSender
from waybill.infra.notifications.record import EMAIL, WEBHOOK
from waybill.infra.notifications.rules import build_signer, target_rules
from waybill.infra.notifications.webhooks import WebhookSender


def build_senders(settings: Settings) -> dict[str, Sender]:
    """A sender for each channel that can be used. They live as long as the process."""
    # Name servers and mail servers that hang must not take the threads of exports, nor, having
    # been given up on while their threads still wait, each other's.
    threads = ThreadPoolExecutor(2 * AT_ONCE, thread_name_prefix="waybill-notices")
    senders: dict[str, Sender] = {}
    if signer := build_signer(settings):
        senders[WEBHOOK] = WebhookSender(
            signer, target_rules(settings), threads, public_url=settings.public_url
        )
    if settings.smtp_url and settings.smtp_from:
        senders[EMAIL] = MailSender(
            MailServer.parse(settings.smtp_url.get_secret_value()),
            settings.smtp_from,
            threads,
            public_url=settings.public_url,
        )
    return senders
