"""The delivery loop: carries what people asked to be told to them, at least once.

A worker that dies between a delivery and its record makes another one deliver again, with
the same id; receivers drop what they have seen. Nothing here touches an export.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.config.value_types import mail_domain
from waybill.infra.notifications.queue import DeliveryResult, DueNotification, NotificationQueue
from waybill.infra.notifications.record import WEBHOOK
from waybill.infra.notifications.webhook_targets import shown

log = logging.getLogger(__name__)

#: Deliveries at once; and those of one tenant, whose receivers may all be slow.
AT_ONCE = 16
_OF_ONE_TENANT = 4
#: How long an idle loop waits before it looks again.
_IDLE_SECONDS = 0.5
#: What is on its way when the process is asked to end has this long to arrive.
_LAST_SECONDS = 5.0


class Sender(Protocol):
    """One way of telling people."""

    async def send(self, item: DueNotification) -> DeliveryResult:
        """Try once. Raises nothing for what the other side does."""
        ...


class Deliverer:
    """Delivers what is due until cancelled. Any number may run at once."""

    def __init__(self, queue: NotificationQueue, senders: Mapping[str, Sender]) -> None:
        self._queue = queue
        self._senders = senders
        self._running: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Deliver for ever. A database that is away is waited for."""
        try:
            while True:
                try:
                    started = await self._start_due()
                except SQLAlchemyError:
                    log.warning("the notifications cannot be read")
                    started = 0
                if not started:
                    await self._pause()
        finally:
            if self._running:
                _, late = await asyncio.wait(self._running, timeout=_LAST_SECONDS)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def _start_due(self) -> int:
        """Begin to deliver what is due, as far as there is room; how many were begun."""
        room = AT_ONCE - len(self._running)
        if not room:
            return 0
        busy = [
            tenant
            for tenant, count in Counter(self._running.values()).items()
            if count >= _OF_ONE_TENANT
        ]
        items = await asyncio.to_thread(
            self._queue.take, room, per_tenant=_OF_ONE_TENANT, without=busy
        )
        for item in items:
            task = asyncio.create_task(self._deliver(item), name=f"notification {item.id}")
            self._running[task] = item.tenant_id
            task.add_done_callback(self._running.pop)
        return len(items)

    async def _deliver(self, item: DueNotification) -> None:
        sender = self._senders.get(item.channel)
        try:
            outcome = (
                await sender.send(item)
                if sender
                else DeliveryResult(delivered=False, error="not_configured")
            )
        except Exception as error:
            # The kind alone: texts of errors hold addresses.
            log.error("notification sender failed", extra={"error": type(error).__name__})
            outcome = DeliveryResult(delivered=False, error="internal_error")
        try:
            given_up = await asyncio.to_thread(self._queue.record, item, outcome)
        except SQLAlchemyError:
            log.warning("a delivery could not be recorded; it may be made again")
            return
        log.log(
            logging.INFO if outcome.delivered else logging.WARNING,
            "notification delivered" if outcome.delivered else "notification not delivered",
            extra=_described(item, outcome) | ({"given_up": True} if given_up else {}),
        )

    async def _pause(self) -> None:
        """Until some time has passed, or a delivery has ended and left room."""
        if self._running:
            await asyncio.wait(
                self._running, timeout=_IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        else:
            await asyncio.sleep(_IDLE_SECONDS)


def _described(item: DueNotification, outcome: DeliveryResult) -> dict[str, Any]:
    to = shown(item.target) if item.channel == WEBHOOK else mail_domain(item.target)
    return {
        "notification": str(item.id),
        "task": str(item.task_id),
        "channel": item.channel,
        "to": to,
        "attempt": item.attempt,
        "status": outcome.status,
        "error": outcome.error,
    }
