"""The AMQP message that carries a wake-up."""

from __future__ import annotations

from datetime import UTC, datetime

from aio_pika import DeliveryMode, Message

from waybill.infra.broker.port import WakeUp
from waybill.infra.tracing.spans import TRACEPARENT, current_traceparent

_APP_ID = "waybill"


def wake_up_message(wake_up: WakeUp, message_id: str) -> Message:
    """One message, which the broker writes to disk before it confirms it."""
    return Message(
        wake_up.encode(),
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=message_id,
        correlation_id=str(wake_up.task_id),
        timestamp=datetime.now(UTC),
        type=wake_up.kind,
        app_id=_APP_ID,
        headers={TRACEPARENT: trace} if (trace := current_traceparent()) else None,
    )
