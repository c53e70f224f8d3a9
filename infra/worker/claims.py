"""How a worker claims tasks: one at a time, when it has room, and while nothing is away.

A claim that has to wait waits here, and holds up further claims: for the database, for room in
memory, or for an idle worker when the task has to run alone.
"""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from waybill.infra.broker.concurrency import wait_for_event
from waybill.infra.broker.port import TryLater, WakeUp
from waybill.infra.failpoints import failpoint
from waybill.infra.tasks.lifecycle.scheduler import FairScheduler, RunsAlone
from waybill.infra.tasks.model import Claim, Task
from waybill.infra.tasks.shards import ShardClaim, TaskShards
from waybill.infra.worker.attempt_figures import record_claim
from waybill.infra.worker.capacity import Capacity
from waybill.infra.worker.outages import Outages

log = logging.getLogger(__name__)

#: Between two tries to claim while the database is away.
_PAUSE_SECONDS = 1.0


class Claims:
    """The claims of one worker, each counted in `capacity` until its `end`.

    Once `leave` is set no task is claimed.
    """

    def __init__(
        self,
        scheduler: FairScheduler,
        shards: TaskShards,
        capacity: Capacity,
        outages: Outages,
        leave: asyncio.Event,
        worker: str,
    ) -> None:
        self._scheduler = scheduler
        self._shards = shards
        self._capacity = capacity
        self._outages = outages
        self._leave = leave
        self._worker = worker
        #: Held for one claim at a time, and for as long as a task runs that has to run alone.
        self._claiming = asyncio.Lock()

    async def claim(self, queue: str, hint: WakeUp | None = None) -> Claim | ShardClaim | None:
        """Claim the next task of `queue`, and wait out an outage: the message is not at fault.

        Where no task waits it is a shard of one that another worker has.

        A task that has to run alone is claimed once nothing else runs, and holds up further claims
        until `end`.

        Raises:
            TryLater: the worker ends.
        """
        failpoint("w.before_claim")
        await self._claiming.acquire()
        claim = None
        try:
            claim = await self._claim_when_possible(queue, hint)
        finally:
            if claim is not None:
                self._capacity.take(claim.task.queue)
            if claim is None or not _runs_alone(claim):
                self._claiming.release()
        if claim is not None:
            failpoint("w.after_claim")
            if isinstance(claim, Claim):
                record_claim(claim.task)
        return claim

    async def claim_at_once(self, queue: str) -> Claim | None:
        """Claim the next task of `queue`; None where `claim` would have to wait.

        Never one that has to run alone.
        """
        try:
            async with asyncio.timeout(_PAUSE_SECONDS):
                await self._claiming.acquire()
        except TimeoutError:
            return None
        try:
            if not self._has_room(queue):
                return None
            claim = await asyncio.to_thread(
                self._scheduler.claim_next, queue, self._worker, alone=False
            )
            if claim is not None:
                self._capacity.take(queue)
                record_claim(claim.task)
            return claim
        except (RunsAlone, SQLAlchemyError):
            return None
        finally:
            self._claiming.release()

    def _has_room(self, queue: str) -> bool:
        if self._leave.is_set() or self._outages.waiting_for:
            return False
        return not (self._capacity.is_full_for(queue) or self._capacity.is_full)

    async def is_awaited(self, queue: str) -> bool:
        """Whether a task of `queue` could be claimed at once, if there was room."""
        if self._claiming.locked() or self._leave.is_set() or self._outages.waiting_for:
            return False
        try:
            return await asyncio.to_thread(self._scheduler.is_awaited, queue)
        except SQLAlchemyError:
            return False

    async def wake_others(self, ended: Task) -> None:
        """Wake other queues whose tasks a cap held back until this one ended."""
        try:
            await asyncio.to_thread(self._scheduler.wake_throttled_queues, ended)
        except SQLAlchemyError:
            log.warning("other queues are left to the sweeper", extra={"worker": self._worker})

    def end(self, claim: Claim | ShardClaim, *, paused: bool = False) -> None:
        """Count the end of a claim, whose export was `paused` or ran."""
        self._capacity.release(claim.task.queue, paused=paused)
        if _runs_alone(claim):
            self._claiming.release()

    async def _claim_when_possible(
        self, queue: str, hint: WakeUp | None
    ) -> Claim | ShardClaim | None:
        capacity = self._capacity
        is_away = False
        while True:
            await self._outages.wait_until_over(self._leave)
            if capacity.is_full_for(queue):
                # The end of each of those looks for further ones of this queue.
                return None
            blocked = self._leave
            try:
                if not capacity.is_full:
                    claim = await asyncio.to_thread(
                        self._scheduler.claim_next,
                        queue,
                        self._worker,
                        hint,
                        alone=capacity.is_idle,
                    )
                    if claim is None and capacity.may_help(queue):
                        return await asyncio.to_thread(self._shards.claim_next, queue, self._worker)
                    return claim
                blocked = capacity.room
            except RunsAlone:
                blocked = capacity.idle
            except SQLAlchemyError:
                if not is_away:
                    log.warning("claims wait for the database", extra={"worker": self._worker})
                is_away = True
            await wait_for_event(blocked, _PAUSE_SECONDS)
            if self._leave.is_set():
                raise TryLater


def _runs_alone(claim: Claim | ShardClaim) -> bool:
    return isinstance(claim, Claim) and claim.task.run_alone
