"""Handling one delivered message, the same way for every broker.

The broker gets its answer before the work starts: a delivery is acknowledged once the handler has
returned, dead-lettered with a reason when the handler refuses, requeued when it was interrupted.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Protocol

from waybill.exporter.errors import WaybillError
from waybill.infra.broker.concurrency import wait_for_event
from waybill.infra.broker.port import (
    PROBE,
    BadMessage,
    DeadLetterHandler,
    Handler,
    TryLater,
    WakeUp,
    Work,
)
from waybill.infra.tracing.spans import continued

log = logging.getLogger(__name__)

#: Pause before a dead letter is offered again to a handler that failed.
DEAD_LETTER_PAUSE = timedelta(seconds=5)


class Delivery(Protocol):
    """A message to answer by calling exactly one of the three methods, none of which raises."""

    @property
    def body(self) -> bytes:
        """The message's bytes, not yet looked at."""
        ...

    @property
    def queue(self) -> str:
        """The work queue it was published for."""
        ...

    @property
    def reason(self) -> str:
        """Why it is a dead letter; empty when it is not."""
        ...

    @property
    def traceparent(self) -> str | None:
        """The span that published it, if that was traced."""
        ...

    async def ack(self) -> None:
        """Acknowledge it: the broker forgets it."""
        ...

    async def dead_letter(self, reason: str) -> None:
        """Move it to the dead letters."""
        ...

    async def requeue(self) -> None:
        """Let it be delivered again, to any consumer."""
        ...


async def deliver(delivery: Delivery, handler: Handler) -> None:
    """Hand one wake-up to `handler`, answer the broker, and then do the work it returned."""
    try:
        with continued("waybill.deliver", delivery.traceparent, delivery.queue):
            work = await handler(WakeUp.decode(delivery.body))
    except asyncio.CancelledError:
        await delivery.requeue()
        raise
    except TryLater:
        await delivery.requeue()
        return
    except Exception as error:
        reason = describe_failure(error)
        log.warning("message dead-lettered", extra={"queue": delivery.queue, "why": reason})
        await delivery.dead_letter(reason)
        return
    await delivery.ack()
    if work is not None:
        await _do(work, delivery.queue)


async def _do(work: Work, queue: str) -> None:
    try:
        await work()
    except Exception:
        # The message is acknowledged and the task is the database's: its lease runs out.
        log.exception("work failed", extra={"queue": queue})


def describe_failure(error: Exception) -> str:
    """The reason a dead letter carries: a stable code, and a text only where it is ours.

    The text of a foreign error may hold SQL, parameters or a connection string.
    """
    if isinstance(error, WaybillError):
        return f"{error.code}: {error.message}"
    return f"{WaybillError.code}: {type(error).__name__}"


def _is_probe(body: bytes) -> bool:
    """Whether a message only asked whether its queue takes any."""
    try:
        return WakeUp.decode(body).kind == PROBE
    except BadMessage:
        return False


async def deliver_dead_letter(
    delivery: Delivery,
    handler: DeadLetterHandler,
    stopping: asyncio.Event,
    *,
    pause: timedelta,
) -> None:
    """Hand one dead letter to `handler`, again and again until it returns or `stopping` is set.

    Waits for `pause` after each refusal.

    It stays unsettled meanwhile: there is nowhere further to send it, and each requeue counts
    towards a limit after which the broker would drop it.
    """
    if _is_probe(delivery.body):
        await delivery.ack()
        return
    while not stopping.is_set():
        try:
            await handler(delivery.body, delivery.queue, delivery.reason)
        except asyncio.CancelledError:
            await delivery.requeue()
            raise
        except Exception:
            log.exception("dead letter not taken", extra={"queue": delivery.queue})
            await wait_for_event(stopping, pause.total_seconds())
        else:
            await delivery.ack()
            return
    await delivery.requeue()
