"""What `waybill doctor` asks the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from waybill.infra.bootstrap import Stack
from waybill.infra.broker.port import BrokerUnavailable
from waybill.infra.broker.rabbitmq.broker import BrokerReport
from waybill.infra.config.errors import DatabaseUnavailable


def check_broker(stack: Stack) -> str:
    """Its version and the size of its dead-letter queue, if we may read and write there."""
    if stack.settings.amqp_url is None:
        return "inside the process"
    try:
        stack.check_database(tables=True)
    except DatabaseUnavailable as error:
        raise BrokerUnavailable(
            "Not looked at: the task database does not say which exchanges and queues are ours."
        ) from error
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
    return "; ".join([f"{report.server}, {report.dead_letters} dead letters", *_notes(report)])


def _notes(report: BrokerReport) -> Iterator[str]:
    if report.neighbours:
        yield (
            f"shared with the installation {', '.join(report.neighbours)}: give each a vhost of"
            " its own in WAYBILL_AMQP_URL"
        )
    if report.earlier is not None:
        yield (
            f"queues of an earlier version, with {report.earlier.messages} messages and "
            f"{report.earlier.consumers} consumers"
        )
