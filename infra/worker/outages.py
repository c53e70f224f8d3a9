"""Outages: a worker stops claiming while a part of the installation is away, and probes it.

An attempt that failed for a fault of the installation is reported here. The part is probed at
once: if it works, the fault was of that one moment or that one file, and the worker goes on. If
not, claims wait until it does. One log line says that they stop and why, another one that they go
on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.errors import WaybillError
from waybill.faults import Fault
from waybill.infra.broker.concurrency import wait_for_event
from waybill.infra.broker.port import TryLater
from waybill.infra.tasks.lifecycle.outages import TaskOutages
from waybill.infra.worker.failures import FailureDecision, classify_error
from waybill.infra.worker.probes import Probes
from waybill.storage.errors import ClockRejected
from waybill.timing import backoff

log = logging.getLogger(__name__)

#: The pauses between two probes; real ones are up to half as long, at random.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
#: A store refuses from 15 minutes on. A worker this far from the task database is itself to blame.
_MAX_OWN_SKEW = timedelta(minutes=5)


class ClockWrong(WaybillError):
    """The clock of this worker is wrong."""

    code = "clock_wrong"
    retry = False


@dataclass(slots=True, eq=False)
class Outages:
    """What is away for one worker. Use it from its event loop."""

    probes: Probes
    tasks: TaskOutages
    queues: Sequence[str]
    worker: str
    #: The first and the longest pause between two probes, in seconds.
    pauses: tuple[float, float] = (_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
    _away: set[Fault] = field(default_factory=set)
    _reporting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def waiting_for(self) -> str | None:
        """What claims wait for; None while nothing is away."""
        return next(iter(sorted(self._away)), None)

    async def report(self, decision: FailureDecision) -> None:
        """Take note of an attempt that failed.

        Raises:
            ClockWrong: this worker is ill, and no part of the installation is.
        """
        fault = decision.fault
        if not fault.of_installation:
            return
        async with self._reporting:
            if fault in self._away:
                return
            if decision.code == ClockRejected.code:
                await self._refuse_wrong_clock()
            if (why := await self._probe(fault)) is None:
                return
            self._away.add(fault)
            log.error(
                "claims stopped: a part of the installation is away",
                extra={
                    "alert": True,
                    "worker": self.worker,
                    "waiting_for": fault,
                    "code": why.code,
                    "why": why.message,
                },
            )
            await self._write(self.tasks.mark, fault)

    async def wait_until_over(self, leave: asyncio.Event) -> None:
        """Return when nothing is away. One caller at a time probes.

        Raises:
            TryLater: `leave` was set meanwhile.
        """
        failures = 0
        while self._away:
            failures += 1
            first, longest = self.pauses
            await wait_for_event(leave, backoff(failures, first=first, longest=longest))
            if leave.is_set():
                raise TryLater
            for fault in tuple(self._away):
                await self._look_again(fault)

    async def _look_again(self, fault: Fault) -> None:
        if await self._probe(fault) is not None:
            # Tasks that were requested meanwhile wait as well.
            await self._write(self.tasks.mark, fault)
            return
        self._away.discard(fault)
        log.warning("claims go on", extra={"worker": self.worker, "waiting_for": fault})
        await self._write(self.tasks.clear, fault)

    async def _probe(self, fault: Fault) -> FailureDecision | None:
        """Why the part does not work; None when it does."""
        probe = self.probes.get(fault)
        if probe is None:
            return None
        try:
            await asyncio.to_thread(probe)
        except Exception as error:
            why = classify_error(error)
            return why if why.fault is fault else None
        return None

    async def _write(self, write: Callable[[Fault, Sequence[str]], int], fault: Fault) -> None:
        try:
            while await asyncio.to_thread(write, fault, self.queues):
                pass
        except SQLAlchemyError:
            log.warning("waiting tasks are not marked", extra={"worker": self.worker})

    async def _refuse_wrong_clock(self) -> None:
        try:
            ahead = await asyncio.to_thread(self.tasks.clock_ahead)
        except SQLAlchemyError:
            return
        if abs(ahead) > _MAX_OWN_SKEW:
            minutes = round(abs(ahead) / timedelta(minutes=1))
            way = "ahead of" if ahead > timedelta(0) else "behind"
            raise ClockWrong(
                f"The clock of this worker is {minutes} min {way} the task database's, and the "
                "object store refuses it. Set the clock, then start the worker again."
            )
