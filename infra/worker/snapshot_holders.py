"""Sessions in which a worker keeps the snapshots of exports in shards, one for each export.

Every worker that writes a shard holds the snapshot from then on, and says so beside the plan. So it
outlives the worker that took it, and the next attempt of the task can go on. A session ends with
its task, and at the latest five minutes after the task was last seen running: a task that waits for
longer must not hold back vacuum. A worker that hangs is ended by the server (`HeldSnapshot`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from waybill.exporter.shards.plan import HeldSnapshot, Snapshot
from waybill.infra.tasks.model import Claim
from waybill.infra.tasks.shard_plans import LivePlan, ShardPlans
from waybill.infra.tasks.shards import ShardClaim, SharedFile
from waybill.timing import every

log = logging.getLogger(__name__)

#: How long a snapshot is held for a task that is not seen running.
PATIENCE_SECONDS = 300.0
#: Between two looks whether the tasks still run.
_LOOK_SECONDS = 2.0
#: Between two questions to a session whether it is there.
_ASK_SECONDS = 30.0


@dataclass(slots=True)
class _Session:
    held: HeldSnapshot
    upload_id: str
    #: When the task was last seen running, and the session last heard of.
    seen_at: float
    heard_at: float


class SnapshotHolders:
    """The snapshots that one worker holds. Any thread may use it."""

    def __init__(self, plans: ShardPlans, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._plans = plans
        self._clock = clock
        #: Held while the sessions are listed, opened or asked: they take one thread at a time.
        self._lock = threading.Lock()
        self._sessions: dict[UUID, _Session] = {}

    def keep(
        self,
        claim: Claim | ShardClaim,
        file: SharedFile,
        snapshot: Snapshot,
        hold: Callable[[Snapshot], HeldSnapshot],
    ) -> Snapshot:
        """Hold `snapshot` for the export of `claim`, by calling `hold` unless it is held already.

        Returns it by the name it has in the session that holds it.

        Raises:
            SourceError: what `hold` raises.
        """
        task_id = claim.task.id
        with self._lock:
            session = self._sessions.get(task_id)
            if session is not None:
                is_same = session.held.snapshot.state == snapshot.state
                if is_same and session.upload_id == file.upload_id and session.held.is_alive():
                    return session.held.snapshot
                self._end(task_id)
            held = hold(snapshot)
            now = self._clock()
            self._sessions[task_id] = _Session(held, file.upload_id, now, now)
            is_on_record = False
            try:
                is_on_record = self._plans.add_holder(
                    task_id, file.upload_id, claim.worker, held.snapshot.name
                )
            finally:
                # Without the plan the export has ended, or begun again: who asked will learn of it.
                if not is_on_record:
                    self._end(task_id)
        return held.snapshot

    def release(self, task_id: UUID) -> None:
        """End the session for the export of a task, if there is one: nothing is left to read."""
        with self._lock:
            if task_id in self._sessions:
                self._end(task_id)

    def look(self) -> None:
        """End the sessions that no export needs any more, and hear of the others."""
        with self._lock:
            tasks = list(self._sessions)
        if not tasks:
            return
        plans = None
        with suppress(SQLAlchemyError):
            plans = self._plans.live(tasks)
        with self._lock:
            now = self._clock()
            for task_id in tasks:
                if (session := self._sessions.get(task_id)) is None:
                    continue
                if plans is not None:
                    self._note(session, plans.get(task_id), now)
                if now - session.seen_at > PATIENCE_SECONDS or not self._is_heard(session, now):
                    self._end(task_id)

    async def run(self) -> None:
        """Look until cancelled."""
        async for _ in every(_LOOK_SECONDS):
            await asyncio.to_thread(self.look)

    def close(self) -> None:
        """End all sessions."""
        with self._lock:
            for task_id in list(self._sessions):
                self._end(task_id)

    def _note(self, session: _Session, plan: LivePlan | None, now: float) -> None:
        if plan is None or plan.upload_id != session.upload_id:
            session.seen_at = float("-inf")
        elif plan.is_running:
            session.seen_at = now

    def _is_heard(self, session: _Session, now: float) -> bool:
        if now - session.heard_at < _ASK_SECONDS:
            return True
        session.heard_at = now
        return session.held.is_alive()

    def _end(self, task_id: UUID) -> None:
        session = self._sessions.pop(task_id)
        session.held.close()
        try:
            self._plans.drop_holder(task_id, session.held.snapshot.name)
        except SQLAlchemyError:
            log.warning("a name of a snapshot stays on record", extra={"task": str(task_id)})
