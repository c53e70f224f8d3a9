"""Neighbours: other installations in the same vhost, and what an earlier version left in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.broker.port import Broker, BrokerUnavailable
from waybill.infra.tasks.lifecycle.runs import TaskRuns
from waybill.timing import every

log = logging.getLogger(__name__)

_ANNOUNCE_SECONDS = 60.0
#: A process of an earlier version may publish to queues that none consumes: this is how long its
#: wake-ups wait.
_TAKE_OVER_SECONDS = 5.0


class Neighbours:
    """Keeps an installation apart from others that share its broker, until cancelled."""

    def __init__(self, broker: Broker, runs: TaskRuns) -> None:
        self._broker = broker
        self._runs = runs
        self._seen: set[str] = set()

    async def run(self) -> None:
        """Announce this installation, and take over what an earlier version of it left."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._announce())
            group.create_task(self._take_over())

    async def _announce(self) -> None:
        async for _ in every(_ANNOUNCE_SECONDS, jitter=0.2):
            try:
                others = set(await self._broker.announce()) - self._seen
            except BrokerUnavailable as error:
                log.info("not announced", extra={"why": error.message})
                continue
            if others:
                self._seen |= others
                log.warning(
                    "another installation uses the same vhost",
                    extra={"installations": sorted(others)},
                )

    async def _take_over(self) -> None:
        async for _ in every(_TAKE_OVER_SECONDS, jitter=0.2):
            try:
                moved = await self._broker.take_over_earlier(self._known)
            except (BrokerUnavailable, SQLAlchemyError) as error:
                log.info("nothing taken over", extra={"why": type(error).__name__})
                continue
            if moved:
                log.info("messages of an earlier version moved", extra={"messages": moved})

    async def _known(self, tasks: Collection[UUID]) -> set[UUID]:
        return await asyncio.to_thread(self._runs.known, tasks)
