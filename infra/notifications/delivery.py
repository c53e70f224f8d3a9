"""Delivery of notifications: the worker's loop that sends due webhooks and mails.

Each message is delivered at least once. When a worker dies between a delivery and its record,
another one delivers the message again under the same id, by which receivers drop duplicates.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.config.notifications import MailServer
from waybill.infra.config.settings import Settings
from waybill.infra.config.value_types import mail_domain
from waybill.infra.db.token_buckets import Rate
from waybill.infra.notifications.mail import MailSender
from waybill.infra.notifications.opt_outs import MailOptOuts
from waybill.infra.notifications.queue import DeliveryResult, DueNotification, NotificationQueue
from waybill.infra.notifications.rules import build_signer, mail_domains, target_rules
from waybill.infra.notifications.texts import SharePath
from waybill.infra.notifications.webhook_targets import redacted
from waybill.infra.notifications.webhooks import WebhookSender
from waybill.infra.tasks.notifications import EMAIL, WEBHOOK
from waybill.timing import every

log = logging.getLogger(__name__)

#: Deliveries at once, and those of one tenant, whose receivers may all be slow.
_MAX_DELIVERIES = 16
_MAX_DELIVERIES_PER_TENANT = 4
#: Pause between two queries of an idle loop.
_IDLE_SECONDS = 0.5
#: Time that open deliveries have to finish when the process is asked to end.
_GRACE_SECONDS = 5.0


class Sender(Protocol):
    """A channel that notifications are sent through."""

    async def send(self, item: DueNotification) -> DeliveryResult:
        """Make one attempt. Raises nothing for faults of the receiver or the network."""
        ...


class Deliverer:
    """Delivers due notifications until cancelled. Any number may run at once."""

    def __init__(self, queue: NotificationQueue, senders: Mapping[str, Sender]) -> None:
        self._queue = queue
        self._senders = senders
        #: The tenant of each delivery on its way.
        self._running: dict[asyncio.Task[None], str] = {}
        self._delivery_ended = asyncio.Event()

    async def run(self) -> None:
        """Deliver for ever. Waits while the database is away."""
        try:
            async for _ in every(_IDLE_SECONDS, wake=self._delivery_ended):
                try:
                    while await self._start_due():
                        pass
                except SQLAlchemyError:
                    log.warning("notifications cannot be read")
        finally:
            if self._running:
                _, late = await asyncio.wait(self._running, timeout=_GRACE_SECONDS)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def _start_due(self) -> int:
        """Start as many due deliveries as there is room for; returns how many."""
        room = _MAX_DELIVERIES - len(self._running)
        if not room:
            return 0
        busy = [
            tenant
            for tenant, count in Counter(self._running.values()).items()
            if count >= _MAX_DELIVERIES_PER_TENANT
        ]
        items = await asyncio.to_thread(
            self._queue.take, room, per_tenant=_MAX_DELIVERIES_PER_TENANT, without=busy
        )
        for item in items:
            task = asyncio.create_task(self._deliver(item), name=f"notification {item.id}")
            self._running[task] = item.tenant_id
            task.add_done_callback(self._forget)
        return len(items)

    async def _deliver(self, item: DueNotification) -> None:
        sender = self._senders.get(item.channel)
        try:
            result = (
                await sender.send(item)
                if sender
                else DeliveryResult(delivered=False, error="not_configured")
            )
        except Exception as error:
            # Only the type: error messages contain addresses.
            log.error("notification sender failed", extra={"error": type(error).__name__})
            result = DeliveryResult(delivered=False, error="internal_error")
        try:
            given_up = await asyncio.to_thread(self._queue.record, item, result)
        except SQLAlchemyError:
            log.warning("a delivery could not be recorded and may be repeated")
            return
        log.log(
            logging.INFO if result.delivered else logging.WARNING,
            "notification delivered" if result.delivered else "notification not delivered",
            extra=_described(item, result) | ({"given_up": True} if given_up else {}),
        )

    def _forget(self, delivery: asyncio.Task[None]) -> None:
        self._running.pop(delivery)
        # There is room for another one.
        self._delivery_ended.set()


def build_deliverer(
    settings: Settings, engine: Engine, share_path: SharePath = lambda _: ""
) -> Deliverer:
    """The loop of one worker, with the channels and rates of the settings.

    `share_path` makes the path of a share link of its id.
    """
    rates = {
        WEBHOOK: Rate(settings.max_webhooks_per_minute),
        EMAIL: Rate(settings.max_mails_per_hour, timedelta(hours=1)),
    }
    queue = NotificationQueue(engine, settings.notify_retry_delays, rates)
    opt_outs = MailOptOuts(engine, settings.public_url)
    return Deliverer(queue, _senders(settings, opt_outs, share_path))


def _senders(settings: Settings, opt_outs: MailOptOuts, share_path: SharePath) -> dict[str, Sender]:
    """A sender for each channel that the settings allow. They live as long as the process."""
    # Threads of their own: name servers and mail servers that hang must not take the threads of
    # exports. Twice as many as deliveries, because an abandoned attempt still holds its thread.
    threads = ThreadPoolExecutor(2 * _MAX_DELIVERIES, thread_name_prefix="notification")
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
            domains=mail_domains(settings),
            opt_out_url=opt_outs.link,
            share_path=share_path,
        )
    return senders


def _described(item: DueNotification, result: DeliveryResult) -> dict[str, Any]:
    to = redacted(item.target) if item.channel == WEBHOOK else mail_domain(item.target)
    return {
        "notification": str(item.id),
        "task": str(item.task_id),
        "channel": item.channel,
        "to": to,
        "attempt": item.attempt,
        **({"merged": len(item.merged)} if item.merged else {}),
        "status": result.status,
        "error": result.error,
    }
