"""The loop that runs due schedules. Any number of workers may have one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.schedules.runs import ScheduleRuns
from waybill.timing import every

log = logging.getLogger(__name__)

#: A schedule names minutes, so it starts a few seconds after its time at the latest.
_INTERVAL_SECONDS = 5.0
_JITTER = 0.2


class ScheduleLoop:
    """Looks for due schedules at an interval, until cancelled."""

    def __init__(
        self,
        runs: ScheduleRuns,
        *,
        submitted: Callable[[], None],
        interval: float = _INTERVAL_SECONDS,
    ) -> None:
        """`submitted` is called after a pass that may have made tasks."""
        self._runs = runs
        self._submitted = submitted
        self._interval = interval

    async def run(self) -> None:
        """Run what is due until cancelled. An outage of the database is waited out."""
        async for _ in every(self._interval, jitter=_JITTER):
            try:
                while await asyncio.to_thread(self._runs.run_due):
                    self._submitted()
            except SQLAlchemyError:
                log.warning("the schedules cannot be read")
