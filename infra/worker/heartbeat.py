"""Keeping a claim alive: renewing its lease, and noticing when there is nothing to renew.

What the worker believes is judged by the monotonic clock. It stops by itself well before its
lease ends, whether the database refuses, is gone, or takes the question and never answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.errors import ExportCancelled, ExportStopped
from waybill.exporter.stop import StopToken
from waybill.infra.tasks.lifecycle.runs import Pulse
from waybill.infra.tasks.model import TaskProgress
from waybill.infra.worker.stops import LeaseLost

#: Progress is shown this often at most; the lease is renewed at least four times in its life.
_PULSE = timedelta(seconds=2)
#: A worker that could not renew for this part of its lease stops by itself.
_GIVE_UP = 2 / 3


C_contra = TypeVar("C_contra", contravariant=True)
C = TypeVar("C")


class Heartbeats(Protocol[C_contra]):
    """Where claims of one kind are renewed."""

    def heartbeat(self, claim: C_contra, progress: TaskProgress) -> Pulse:
        """Renew the lease, record progress, and learn whether to go on."""
        ...


@dataclass(frozen=True, slots=True)
class KeepAlive(Generic[C]):
    """The heartbeat of one claim."""

    runs: Heartbeats[C]
    claim: C
    lease: timedelta
    #: An export that gets no further for so long hangs, however alive its process is.
    stall: timedelta
    stop: StopToken
    read: Callable[[], TaskProgress]
    on_stall: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Renew until cancelled, or until the export was asked to stop for good."""
        interval = min(self.lease / 4, _PULSE).total_seconds()
        patience = self.lease.total_seconds() * _GIVE_UP
        renewed = moved = time.monotonic()
        last = self.read()
        while True:
            await asyncio.sleep(interval)
            now, progress = time.monotonic(), self.read()
            if progress != last or progress.paused:
                last, moved = progress, now
            elif now - moved > self.stall.total_seconds():
                await self.on_stall()
                break
            pulse = await self._ask(progress, renewed + patience - now)
            if pulse is Pulse.LOST:
                break
            if pulse is Pulse.CANCELLED:
                await self._stop(ExportCancelled())
            if pulse is not None:
                renewed = now
        await self._stop(LeaseLost())

    async def _stop(self, reason: ExportStopped) -> None:
        """Not in the event loop: interrupting a read may take seconds, and others have leases."""
        await asyncio.to_thread(self.stop.request, reason)

    async def _ask(self, progress: TaskProgress, patience_seconds: float) -> Pulse | None:
        """One heartbeat; None when the database could not be asked and there is time left."""
        if patience_seconds <= 0:
            return Pulse.LOST
        try:
            # A database that hangs raises nothing: the thread waits on, and we do not.
            async with asyncio.timeout(patience_seconds):
                return await asyncio.to_thread(self.runs.heartbeat, self.claim, progress)
        except TimeoutError:
            return Pulse.LOST
        except SQLAlchemyError:
            return None
