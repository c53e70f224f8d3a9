"""The registration of a worker: it says every ten seconds that it lives, with or without work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.tasks.workers import HEARTBEAT_SECONDS, Heartbeat, Workers
from waybill.timing import every

log = logging.getLogger(__name__)


class WorkerRegistration:
    """Writes what `state` returns, until cancelled; then the worker is forgotten."""

    def __init__(self, workers: Workers, state: Callable[[], Heartbeat]) -> None:
        self._workers = workers
        self._state = state

    async def run(self) -> None:
        """Renew the registration. A database that is away delays a heartbeat, and ends nothing."""
        failing = False
        async for _ in every(HEARTBEAT_SECONDS, jitter=0.2):
            try:
                await asyncio.to_thread(self._workers.beat, self._state())
            except SQLAlchemyError as error:
                if not failing:
                    log.warning("no heartbeat", extra={"why": type(error).__name__})
                failing = True
            else:
                failing = False

    async def end(self) -> None:
        """Forget this worker, which ends in order."""
        try:
            await asyncio.to_thread(self._workers.leave, self._state().name)
        except SQLAlchemyError as error:
            log.info("the last heartbeat stays", extra={"why": type(error).__name__})
