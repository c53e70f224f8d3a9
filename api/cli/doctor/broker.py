"""What `waybill doctor` asks the broker."""

from __future__ import annotations

import asyncio

from waybill.infra.bootstrap import Stack
from waybill.infra.broker.port import BrokerUnavailable


def check_broker(stack: Stack) -> str:
    """Its version and the size of its dead-letter queue, if we may read and write there."""
    if stack.settings.amqp_url is None:
        return "inside the process"
    return asyncio.run(_ask(stack))


async def _ask(stack: Stack) -> str:
    # It declares nothing: what is missing is what the check has to find.
    broker = stack.rabbit_broker(declare=False)
    try:
        report = await broker.check()
        await broker.probe_queues()
    finally:
        await broker.close()
    if report.unreachable:
        raise BrokerUnavailable(
            f"{report.server}, but not at every address: {', '.join(report.unreachable)} does not"
            " let us in."
        )
    return f"{report.server}, {report.dead_letters} dead letters"
