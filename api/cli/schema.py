"""`waybill migrate` and `waybill topology`: prepare the task database and the broker."""

from __future__ import annotations

import asyncio

from waybill.api.cli.console import JsonFlag, emit
from waybill.exporter.errors import InvalidRequest
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load


def migrate(as_json: JsonFlag = False) -> None:
    """Create or upgrade the task tables. Idempotent. Leaves those of a newer version alone."""
    with Stack(load()) as stack:
        stack.check_database()
        newer = stack.migrate()
    if newer is not None:
        emit(
            {"status": "newer", "revision": newer},
            f"The task tables are of a newer version ({newer}), and stay as they are.",
            as_json=as_json,
        )
        return
    emit({"status": "up to date"}, "The task tables are up to date.", as_json=as_json)


def topology(as_json: JsonFlag = False) -> None:
    """Declare exchanges and queues in RabbitMQ. Idempotent; needs configure rights.

    Their names hold the id of the installation, which is in the task tables: missing ones are
    made.
    """
    with Stack(load()) as stack:
        if stack.settings.amqp_url is None:
            raise InvalidRequest("WAYBILL_AMQP_URL is not set: there is no broker to prepare.")
        queues = stack.registry.queues
        stack.check_database()
        stack.migrate()
        asyncio.run(_declare(stack))
    emit({"queues": queues}, f"Ready for the queues {', '.join(queues)}.", as_json=as_json)


async def _declare(stack: Stack) -> None:
    broker = stack.rabbit_broker()
    try:
        await broker.declare_topology()
    finally:
        await broker.close()
