"""Slots: each runs one export after another, and pauses a long one to let others pass.

A slot begins with a claim and ends when its queue has nothing more to run. An export that has run
for a slice while others of its queue wait steps aside: it is held between two blocks and keeps its
claim, its snapshot and its memory, and the slot runs the others. It goes on when none waits, or
when they have had a slice too (`docs/decisions/0039-long-exports-step-aside.md`).

No paused export is left without a slot: a slot ends only when no export is paused that it could
run, or when others of that queue run whose slots will look again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from waybill.exporter.errors import ExportStopped
from waybill.infra.broker.port import TryLater
from waybill.infra.tasks.model import Claim
from waybill.infra.tasks.shards import ShardClaim
from waybill.infra.worker.attempt import Attempt
from waybill.infra.worker.capacity import Capacity
from waybill.infra.worker.claims import Claims
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.failures import FailureDecision
from waybill.infra.worker.shard_attempt import ShardAttempt
from waybill.infra.worker.stops import WorkerStopping

log = logging.getLogger(__name__)

#: Between two looks whether others wait, once an export has had its slice.
_LOOK_SECONDS = 1.0
#: How long an export may take to end its block when it is to step aside.
_HOLD = timedelta(seconds=5)


@dataclass(slots=True, eq=False)
class _Run:
    """One attempt and its asyncio task. It is held, if at all, by `Slots`."""

    attempt: Attempt | ShardAttempt
    task: asyncio.Task[None] = field(init=False)
    is_paused: bool = False
    #: When it last stepped aside, by the monotonic clock; 0 if it never did.
    paused_at: float = 0.0
    has_ended: bool = False

    @property
    def claim(self) -> Claim | ShardClaim:
        return self.attempt.claim

    @property
    def queue(self) -> str:
        return self.claim.task.queue


class Slots:
    """The exports of one worker that run or are paused. Use it from its event loop."""

    def __init__(
        self,
        dependencies: WorkerDependencies,
        claims: Claims,
        capacity: Capacity,
        leave: asyncio.Event,
        on_end: Callable[[FailureDecision | None], Awaitable[None]],
    ) -> None:
        """`on_end` is called after each attempt, with the reason if it failed."""
        self._dependencies = dependencies
        self._claims = claims
        self._capacity = capacity
        self._leave = leave
        self._on_end = on_end
        self._slice_seconds = dependencies.settings.slice.total_seconds()
        self._runs: set[_Run] = set()
        #: The one that has waited longest comes first.
        self._paused: list[_Run] = []
        self._stop: ExportStopped | None = None

    async def work(self, claim: Claim | ShardClaim) -> None:
        """Run this export, and then each further one of its queue that may begin now.

        The end of an export lets another one of its owner begin, whose own wake-up may have
        been used up while a cap held it back.
        """
        run: _Run | None = self._begin(claim)
        others_since = time.monotonic()
        try:
            while run is not None:
                instead = await self._run_slices(run)
                if instead is not None or run.paused_at:
                    others_since = time.monotonic()
                run = instead or await self._next(run, others_since)
        finally:
            if run is not None:
                await _cancel([run])

    async def stop_all(self, reason: ExportStopped) -> None:
        """Ask every export to stop, also those that begin later."""
        self._stop = reason
        await self._request_stop(self._runs, reason)

    async def end_paused(self) -> None:
        """Return the tasks of paused exports to their queue, and wait for that."""
        await self._end(self._paused)

    async def end_all(self) -> None:
        """The same for all exports. Call it once every slot has ended."""
        await self._end(self._runs)

    async def _end(self, several: Iterable[_Run]) -> None:
        runs = list(several)
        await self._request_stop(runs, WorkerStopping())
        await asyncio.gather(*(run.task for run in runs))

    async def _request_stop(self, runs: Iterable[_Run], reason: ExportStopped) -> None:
        # Interrupting a read may take seconds: not in the event loop, which has leases to keep.
        stops = [asyncio.to_thread(run.attempt.stop.request, reason) for run in runs]
        await asyncio.gather(*stops)

    def _begin(self, claim: Claim | ShardClaim) -> _Run:
        run = _Run(
            ShardAttempt(self._dependencies, claim)
            if isinstance(claim, ShardClaim)
            else Attempt(self._dependencies, claim)
        )
        if self._stop is not None:
            run.attempt.stop.request(self._stop)
        self._runs.add(run)
        run.task = asyncio.create_task(self._attempt(run), name=f"attempt-{claim.task.id}")
        return run

    async def _attempt(self, run: _Run) -> None:
        try:
            try:
                failure = await run.attempt.run()
            finally:
                run.has_ended = True
                self._runs.discard(run)
                if run in self._paused:
                    self._paused.remove(run)
                self._claims.end(run.claim, paused=run.is_paused)
            await self._on_end(failure)
        except Exception:
            # The task is the database's: its lease runs out.
            log.exception("work failed", extra={"queue": run.queue})

    async def _run_slices(self, run: _Run) -> _Run | None:
        """Wait for the end of `run`; or until it has stepped aside, for the one to run instead."""
        wait_seconds: float | None = self._slice_seconds or None
        while not (await asyncio.wait({run.task}, timeout=wait_seconds))[0]:
            wait_seconds = _LOOK_SECONDS
            if instead := await self._step_aside(run):
                return instead
        await run.task
        return None

    async def _step_aside(self, run: _Run) -> _Run | None:
        """Pause `run` for another one, if there is one to run now; returns that."""
        attempt = run.attempt
        # A shard ends soon, and then others have their turn.
        if isinstance(attempt, ShardAttempt) or attempt.claim.task.run_alone:
            return None
        if self._leave.is_set():
            return None
        awaited = self._capacity.may_pause and await self._claims.is_awaited(run.queue)
        if not awaited and not self._paused_for_a_slice(run.queue):
            return None
        if not await attempt.hold(_HOLD) or run.has_ended:
            return None
        self._capacity.pause(run.queue)
        run.is_paused = True
        claim = await self._claims.claim_at_once(run.queue) if awaited else None
        instead = None
        if claim is not None:
            instead = self._begin(claim)
        elif self._paused_for_a_slice(run.queue):
            instead = await self._resume([run.queue])
        if run.has_ended:
            return instead
        if instead is None:
            self._capacity.resume(run.queue)
            run.is_paused = False
            attempt.release_hold()
            return None
        run.paused_at = time.monotonic()
        self._paused.append(run)
        await attempt.step_aside()
        return instead

    def _paused_for_a_slice(self, queue: str) -> bool:
        """Whether an export of `queue` has been paused for as long as a slice."""
        since = time.monotonic() - self._slice_seconds
        return any(run.queue == queue and run.paused_at <= since for run in self._paused)

    async def _next(self, ended: _Run, others_since: float) -> _Run | None:
        """What to run in the place of `ended`; None when the slot is not needed."""
        await self._claims.wake_others(ended.claim.task)
        queues = self._capacity.after(ended.queue)
        if self._leave.is_set():
            return None
        had_a_slice = time.monotonic() - others_since >= self._slice_seconds
        if had_a_slice and (run := await self._resume(queues)):
            return run
        for queue in queues:
            if self._leave.is_set():
                return None
            if claim := await self._claim(queue, queues):
                return self._begin(claim)
        return await self._resume(queues)

    async def _claim(self, queue: str, queues: Sequence[str]) -> Claim | ShardClaim | None:
        if self._paused_of(queues) is not None:
            # A claim that waits could wait for the end of the one that is paused.
            return await self._claims.claim_at_once(queue)
        with suppress(TryLater):
            return await self._claims.claim(queue)
        return None

    def _paused_of(self, queues: Sequence[str]) -> _Run | None:
        """The paused export of `queues` that has waited longest, if there is room for it."""
        for run in self._paused:
            if run.queue in queues and not self._capacity.is_full_for(run.queue):
                return run
        return None

    async def _resume(self, queues: Sequence[str]) -> _Run | None:
        run = self._paused_of(queues)
        if run is None:
            return None
        self._paused.remove(run)
        self._capacity.resume(run.queue)
        run.is_paused = False
        if isinstance(run.attempt, Attempt):
            await run.attempt.go_on()
        return run


async def _cancel(runs: Sequence[_Run]) -> None:
    """The worker is cancelled: so is what it runs."""
    tasks = [run.task for run in runs]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
