"""The relay: publishes committed wake-ups from the outbox to the broker, at least once."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.broker.port import Broker, BrokerUnavailable
from waybill.infra.failpoints import failpoint
from waybill.infra.metrics.catalogue import WAKE_UPS
from waybill.infra.metrics.recording import count
from waybill.infra.tasks.outbox import Outbox, Outgoing
from waybill.infra.tracing.spans import continued
from waybill.timing import every

log = logging.getLogger(__name__)

#: How long an idle relay waits before it looks at the outbox again; `wake` ends the wait.
_IDLE_SECONDS = 0.5


class Relay:
    """Publishes the outbox until cancelled. Any number may run at once."""

    def __init__(self, outbox: Outbox, broker: Broker) -> None:
        self._outbox = outbox
        self._broker = broker
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Look at the outbox now rather than in half a second. Safe from any thread."""
        self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Publish what is due until cancelled. An outage of broker or database is waited out."""
        async for _ in every(_IDLE_SECONDS, wake=self._wake):
            try:
                while await self.publish_due():
                    pass
            except SQLAlchemyError:
                log.warning("the relay cannot read the outbox")

    async def publish_due(self) -> bool:
        """Publish one batch; True when there was something to publish."""
        batch = await asyncio.to_thread(self._outbox.take)
        if not batch:
            return False
        confirmed = await asyncio.gather(*(self._publish(item) for item in batch))
        if done := [item for item, ok in zip(batch, confirmed, strict=True) if ok]:
            failpoint("relay.after_ack")
            await asyncio.to_thread(self._outbox.mark_published, done)
        return bool(done)

    async def _publish(self, item: Outgoing) -> bool:
        try:
            with continued("waybill.publish", item.traceparent, item.queue):
                await self._hand_over(item)
        except BrokerUnavailable as error:
            log.warning("wake-up not confirmed", extra={"queue": item.queue, "why": error.message})
            count(WAKE_UPS, result="refused")
            await asyncio.to_thread(self._outbox.postpone, item)
            return False
        count(WAKE_UPS, result="confirmed")
        return True

    async def _hand_over(self, item: Outgoing) -> None:
        if item.reason is None:
            await self._broker.publish(
                item.wake_up, queue=item.queue, message_id=item.message_id, delay=item.delay
            )
        else:
            await self._broker.publish_dead_letter(
                item.wake_up, queue=item.queue, message_id=item.message_id, reason=item.reason
            )
